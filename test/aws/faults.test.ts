import { afterAll, describe, expect, it, vi } from 'vitest';
import { type App, createApp } from '../../functions/app.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import { type Image, newImage, pullBlob, pullImage, pushImage, Refused, send, sha256 } from './client.ts';
import { type Fault, observe } from './observe.ts';
import { startAwsStores } from './stores.ts';

// Every call to AWS that a push and a pull make fails once, in every way. The calls are those of a traced run.

const FAULTS: readonly Fault[] = ['internal error', 'throttled', 'request lost', 'answer lost'];

/** If this list changes, look whether the new call can fail without harm; the runs below find out. */
const CALLS_OF_A_PUSH = [
  'BatchGetItem',
  'CompleteMultipartUpload',
  'CreateMultipartUpload',
  'DeleteObject',
  'DeleteObjects',
  'GetItem',
  'GetObject',
  'PutObject',
  'Query',
  'TransactWriteItems',
  'UploadPart',
];

/** CI lets every call fail (STOWAGE_FAULTS=all); without that each fifth does, for the sake of time. */
const chosen = (calls: readonly string[]) =>
  [...calls.keys()].filter((position) => process.env['STOWAGE_FAULTS'] === 'all' || position % 5 === 0);

const MEBIBYTE = 1024 * 1024;

/** Its first chunk is a part of S3's and some bytes, its second one stays below a part. */
const LAYER_BYTES = 7.5 * MEBIBYTE;

const stores = await startAwsStores();
if (!stores && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!stores) console.warn('skipped: faults of AWS; no DynamoDB server is installed');
afterAll(() => stores?.stop());

/** The app on AWS, with a way to make one call of it fail. */
interface Patient {
  readonly app: App;
  /** Operations since the last `arm`, in the order they were sent. */
  readonly trace: string[];
  /** Makes the call at this position fail, and all that follow it until `relieve` where `lasting`. */
  arm(position: number, fault: Fault, lasting: boolean): void;
  relieve(): void;
}

function openPatient(): Patient {
  for (const [name, value] of Object.entries(stores?.environment ?? {})) vi.stubEnv(name, value);
  const trace: string[] = [];
  let armed: { position: number; fault: Fault; lasting: boolean } | undefined;
  const follow = (operation: string) => {
    const position = trace.push(operation) - 1;
    if (!armed || position < armed.position) return undefined;
    return armed.lasting || position === armed.position ? armed.fault : undefined;
  };
  const { registry } = createAwsRegistry(process.env, { onClient: (client) => observe([client], follow) });
  return {
    app: createApp({ registry }),
    trace,
    arm(position, fault, lasting) {
      trace.length = 0;
      armed = { position, fault, lasting };
    },
    relieve() {
      armed = undefined;
    },
  };
}

/** Runs `act`, and once more without faults where it was refused, as the client of a user who tries again. */
async function withRetry(patient: Patient, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Refused) || error.status < 429) throw error;
    patient.relieve();
    await act();
  }
  patient.relieve();
}

/** Invariants 1 to 3 of the design, of what the image's repository shows at this moment. */
async function checkWhole(app: App, repository: string, image: Image): Promise<void> {
  const found = await app(new Request(`http://registry.test/v2/${repository}/manifests/${image.tag}`));
  if (found.status === 200) return pullImage(app, repository, image);
  expect(found.status).toBe(404);
  for (const bytes of [image.config, ...image.layers]) {
    const pulled = await pullBlob(app, repository, sha256(bytes)).catch(() => undefined);
    if (pulled) expect(sha256(pulled)).toBe(sha256(bytes));
  }
}

describe.runIf(stores)('with a fault of AWS', () => {
  const image = newImage(2, LAYER_BYTES);
  let run = 0;
  const newRepository = () => {
    run += 1;
    return `faults/r${run}`;
  };

  /** A layer that another run has pushed is linked at the end, which takes other calls: each run has its own. */
  const ownImage = (): Image => newImage(1, LAYER_BYTES);

  it.each(FAULTS)(
    '%s, at any call, a push succeeds or is refused, and succeeds when tried again',
    { timeout: 300_000 },
    async (fault) => {
      const patient = openPatient();
      await pushImage(patient.app, newRepository(), ownImage());
      const calls = [...patient.trace];
      expect([...new Set(calls)].sort()).toEqual(CALLS_OF_A_PUSH);
      for (const position of chosen(calls)) {
        const [repository, own] = [newRepository(), ownImage()];
        patient.arm(position, fault, false);
        await withRetry(patient, () => pushImage(patient.app, repository, own));
        await pullImage(patient.app, repository, own);
      }
    },
  );

  it.each(FAULTS)(
    '%s, at any call, a pull succeeds or is refused, and succeeds when tried again',
    { timeout: 300_000 },
    async (fault) => {
      const patient = openPatient();
      const repository = newRepository();
      await pushImage(patient.app, repository, image);
      patient.trace.length = 0;
      await pullImage(patient.app, repository, image);
      for (const position of chosen([...patient.trace])) {
        patient.arm(position, fault, false);
        await withRetry(patient, () => pullImage(patient.app, repository, image));
      }
    },
  );

  it('that lasts from any call on, what is there is whole at every moment, and a push afterwards succeeds', {
    timeout: 300_000,
  }, async () => {
    const patient = openPatient();
    await pushImage(patient.app, newRepository(), ownImage());
    patient.trace.length = 0; // what a process asks for once is not asked for again
    await pushImage(patient.app, newRepository(), ownImage());
    for (const position of chosen([...patient.trace])) {
      const [repository, own] = [newRepository(), ownImage()];
      patient.arm(position, 'request lost', true);
      await expect(pushImage(patient.app, repository, own)).rejects.toThrow();
      patient.relieve();
      await checkWhole(patient.app, repository, own);
      await pushImage(patient.app, repository, own);
      await pullImage(patient.app, repository, own);
    }
    await send(patient.app, 'GET /v2/', 200);
  });
});
