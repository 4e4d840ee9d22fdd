import { startS3Server } from '../../../test/aws/s3/server.ts';
import { BUCKET, CREDENTIALS, REGION } from '../settings.ts';

// S3 in a process of its own, on the directory that is its argument; tells its parent where it is.

const [directory = ''] = process.argv.slice(2);
const { url } = await startS3Server({ directory, bucket: BUCKET, region: REGION, credentials: CREDENTIALS });
process.send?.(url);
