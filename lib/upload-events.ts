import { Aws } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Construct } from 'constructs';
import type { BlobBucket } from './blob-bucket.ts';
import type { RegistryFunction } from './registry-function.ts';

interface UploadEventsProps {
  readonly bucket: BlobBucket;
  /** Finishes the upload that an object belongs to. */
  readonly commit: RegistryFunction<'commit'>;
}

/** MAX_INLINE_BYTES: what is no larger came through the API, which finishes it itself. */
const INLINE_BYTES = 4 * 1024 * 1024;

/** Has a function told of each object that came past the registry. Twice or late does no harm; of an event that never
 *  comes, the manifest that needs the blob takes care. */
export class UploadEvents extends Construct {
  constructor(scope: Construct, id: string, { bucket, commit }: UploadEventsProps) {
    super(scope, id);
    bucket.sendEvents();
    new Rule(this, 'Rule', {
      description: 'Stowage: an object may have been uploaded past the registry',
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: {
          bucket: { name: [bucket.bucketName] },
          object: { key: [{ prefix: 'blobs/' }] },
          // Some versions of EventBridge compare no number above 5.0e9, and S3 takes 5.37e9 bytes in one PUT: whatever
          // its size, an object that the account itself has not put came from CloudFront.
          $or: [
            { object: { size: [{ numeric: ['>', INLINE_BYTES] }] } },
            { requester: [{ 'anything-but': [Aws.ACCOUNT_ID] }] },
          ],
          reason: ['PutObject'], // a multipart upload is the registry's own
        },
      },
      // EventBridge tries for a day to hand an event over; Lambda then runs it up to three times, for six hours.
      targets: [new LambdaFunction(commit.handler)],
    });
  }
}
