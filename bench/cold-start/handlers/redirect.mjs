import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { handler as pull } from './pull.mjs';

const { STOWAGE_S3_ENDPOINT: endpoint, STOWAGE_BUCKET: Bucket } = process.env;
const s3 = new S3Client({ endpoint, forcePathStyle: true });

/** The least that a redirect takes: what a pull asks of AWS, and a signed URL. */
export async function handler() {
  const answer = await pull();
  await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: 'none' }));
  return answer;
}
