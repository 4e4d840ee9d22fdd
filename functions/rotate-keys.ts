import middy from '@middy/core';
import { publishEverywhere } from './auth/key-publication.ts';
import type { Rotation } from './auth/secret-keys.ts';
import { createAwsKeys } from './aws-key-rotation.ts';
import { UntilAllowed } from './aws-permissions.ts';
import { jobTelemetry } from './telemetry/job.ts';
import { JOB_RESULTS, JOBS } from './telemetry/names.ts';

/** What a person asks for by hand. The schedule asks for nothing, and a deployment sends no event at all. */
type Order = { readonly rotate?: unknown } | null;

/** Kept back from Lambda's timeout, to log that the run did not end by itself. */
const TIMEOUT_RESERVE_MS = 1000;

const { keys, publications, callsMade } = createAwsKeys(process.env);

/** Makes a new signing key where the newest is a month old, or there is none, and answers 1 if it did. Every run brings
 *  the copies of the keys up to date, and fails where one is not. May run at any time, several at once too.
 *  `{"rotate":"now"}` and `{"rotate":"all"}` do not wait for the month: docs/runbook.md. */
export const handler = middy<Order, number>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(jobTelemetry({ job: JOBS.rotateKeys, result: JOB_RESULTS.rotateKeys, callsMade }))
  .handler(async (order, _, { signal }) => {
    const rotation = rotationOf(order);
    const allowed = new UntilAllowed(signal);
    const isRotated = await allowed.call(() => keys.rotate(rotation, signal));
    // After the keys are safe: a copy can be made again, a key that only a copy has is lost.
    await publishEverywhere(publications, (publication) =>
      allowed.call(() => publication.publish(() => keys.current())),
    );
    return isRotated ? 1 : 0;
  });

function rotationOf(order: Order): Rotation {
  const rotation = order?.rotate ?? 'when due';
  if (rotation === 'when due' || rotation === 'now' || rotation === 'all') return rotation;
  throw new Error(`rotate is "now" or "all", not ${JSON.stringify(rotation)}`);
}
