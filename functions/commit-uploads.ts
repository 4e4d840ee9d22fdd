import middy from '@middy/core';
import type { EventBridgeEvent } from 'aws-lambda';
import { createAwsRegistry } from './aws.ts';
import { commitDirectUpload } from './registry/direct-uploads.ts';
import { jobTelemetry } from './telemetry/job.ts';
import { JOBS, METRICS } from './telemetry/names.ts';

/** What S3 tells by EventBridge of an object that was written.
 *  https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html */
type ObjectCreated = EventBridgeEvent<'Object Created', { readonly object: { readonly key: string } }>;

/** Kept back from Lambda's timeout, to log that the run did not end by itself. */
const TIMEOUT_RESERVE_MS = 500;

const { registry, callsMade } = createAwsRegistry(process.env);

/** Finishes an upload whose bytes a client has sent to S3 itself, and answers 1 if there was one. Events may come
 *  late, twice and in any order; most are of objects that the API wrote, and change nothing. */
export const handler = middy<ObjectCreated, number>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(jobTelemetry({ job: JOBS.commitUploads, result: METRICS.jobs.uploadsCommitted, callsMade }))
  .handler(async ({ detail }) => {
    const id = detail.object.key.slice(detail.object.key.lastIndexOf('/') + 1);
    return (await commitDirectUpload(registry, id)) ? 1 : 0;
  });
