import middy from '@middy/core';
import type { EventBridgeEvent } from 'aws-lambda';
import { createAwsRegistry } from './aws.ts';
import { MAX_INLINE_BYTES } from './limits.ts';
import { commitDirectUpload } from './registry/direct-uploads.ts';
import { registryUntil } from './registry/until.ts';
import { jobTelemetry } from './telemetry/job.ts';
import { JOB_RESULTS, JOBS } from './telemetry/names.ts';

/** What S3 tells by EventBridge of an object that was written.
 *  https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html */
type ObjectCreated = EventBridgeEvent<
  'Object Created',
  {
    readonly object: {
      readonly key: string;
      /** Bytes. */
      readonly size: number;
    };
  }
>;

/** Kept back from Lambda's timeout, to log that the run did not end by itself. */
const TIMEOUT_RESERVE_MS = 500;

const { registry, callsMade } = createAwsRegistry(process.env);

const BLOBS = 'blobs/';

/** Finishes an upload whose bytes a client has sent to S3 itself, and answers 1 if there was one. Events may come
 *  late, twice and in any order, also of objects that the API wrote, and then change nothing. The front door sends no
 *  body to S3 that the API could take: of a small object nothing is asked. */
export const handler = middy<ObjectCreated, number>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(jobTelemetry({ job: JOBS.commitUploads, result: JOB_RESULTS.commitUploads, callsMade }))
  .handler(async ({ detail: { object } }, _, { signal }) => {
    if (!object.key.startsWith(BLOBS) || object.size <= MAX_INLINE_BYTES) return 0;
    return (await commitDirectUpload(registryUntil(registry, signal), object.key.slice(BLOBS.length)))
      ? 1
      : 0;
  });
