import { setTimeout } from 'node:timers/promises';
import middy from '@middy/core';
import type { Rotation } from './auth/secret-keys.ts';
import { createAwsKeys } from './aws-keys.ts';
import { jobTelemetry } from './telemetry/job.ts';
import { JOBS, METRICS } from './telemetry/names.ts';

/** What a person asks for by hand. The schedule asks for nothing, and a deployment sends no event at all. */
type Order = { readonly rotate?: unknown } | null;

/** Kept back from Lambda's timeout, to log that the run did not end by itself. */
const TIMEOUT_RESERVE_MS = 1000;

/** A permission that a deployment has just given holds everywhere only some seconds later. */
const DENIED_PAUSE_MS = 5000;
const MAX_ATTEMPTS = 12;

const { keys, callsMade } = createAwsKeys(process.env);

/** Makes a new signing key where the newest is a month old, or there is none, and answers 1 if it did. May run at any
 *  time, several at once too. `{"rotate":"now"}` and `{"rotate":"all"}` do not wait for the month: docs/runbook.md. */
export const handler = middy<Order, number>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(jobTelemetry({ job: JOBS.rotateKeys, result: METRICS.jobs.keysRotated, callsMade }))
  .handler(async (order) => ((await rotate(rotationOf(order))) ? 1 : 0));

async function rotate(rotation: Rotation): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await keys.rotate(rotation);
    } catch (error) {
      const isDenied = error instanceof Error && error.name === 'AccessDeniedException';
      if (!isDenied || attempt === MAX_ATTEMPTS) throw error;
    }
    await setTimeout(DENIED_PAUSE_MS);
  }
}

function rotationOf(order: Order): Rotation {
  const rotation = order?.rotate ?? 'when due';
  if (rotation === 'when due' || rotation === 'now' || rotation === 'all') return rotation;
  throw new Error(`rotate is "now" or "all", not ${JSON.stringify(rotation)}`);
}
