import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { KeySource } from '../functions/auth/signing-keys.ts';
import { TableKeys } from '../functions/auth/table-keys.ts';
import type { FrontDoor } from '../functions/front-door.ts';
import { drainOutbox } from '../functions/registry/outbox.ts';
import type { Registry } from '../functions/registry/registry.ts';
import type { Room } from '../functions/registry/room.ts';
import { Turns } from '../functions/registry/turns.ts';
import type { Lease } from '../functions/upkeep/lease.ts';
import { attemptAll } from './attempt-all.ts';
import { openEmbedded } from './embedded.ts';
import { sharingLoop } from './sharing-loop.ts';

/** A registry on whichever stores the environment chose. */
export interface OpenRegistry {
  readonly registry: Registry;
  /** Absent where the stores do not fill up. */
  readonly room?: Room;
  /** What its access tokens are signed with. */
  readonly keys: KeySource;
  /** Absent where clients come straight to this host. */
  readonly front?: FrontDoor;
  /** Where its data is, for the banner. */
  readonly place: string;
  /** Whether it is this host's to make the first admin: on AWS, somebody with AWS credentials does. */
  readonly makesAdmin: boolean;
  /** Deletes what is due: what nothing uses any more, objects without a link, uploads that were given up, expired items. On
   *  AWS scheduled functions sweep, and do not need this host for it. */
  tidy(lease: Lease): Promise<void>;
  close(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Opens the stores that `STOWAGE_STORE` names: `directory` (the default) or `aws`. `tell` is told of what the operator
 *  should know; `halt` ends the process where nobody can say whether a write that failed has been made. */
export async function openStores(
  environment: Environment,
  tell: (what: string) => void,
  halt: (why: string) => never,
): Promise<OpenRegistry> {
  const store = environment['STOWAGE_STORE'] || 'directory';
  if (store === 'aws') return openAws(environment);
  if (store !== 'directory') throw new Error(`STOWAGE_STORE is neither directory nor aws: ${store}`);
  const data = resolve(environment['STOWAGE_DATA'] || 'data');
  const embedded = await openEmbedded({
    data,
    adopt: environment['STOWAGE_ADOPT'] === '1',
    trustClock: environment['STOWAGE_TRUST_CLOCK'] === '1',
    tell,
    halt,
  });
  const keys = new TableKeys(embedded.registry);
  return {
    ...embedded,
    keys,
    place: data,
    makesAdmin: true,
    tidy: (lease) =>
      attemptAll({
        upkeep: () => embedded.tidy(lease),
        'rotating the signing keys': () => keys.rotateWhenDue(),
      }),
  };
}

async function openAws(environment: Environment): Promise<OpenRegistry> {
  // Loaded only here: the embedded registry starts without the AWS SDK.
  const { createAwsRegistry } = await import('../functions/aws.ts');
  const { place, keys, front, ...aws } = createAwsRegistry(environment);
  const unfinished = new Set<Promise<void>>();
  const afterwards = (work: () => Promise<void>) => {
    const running = setImmediate().then(work);
    unfinished.add(running);
    void running.finally(() => unfinished.delete(running));
  };
  const registry = sharingLoop({ ...aws.registry, afterwards, turns: new Turns() });
  return {
    registry,
    keys: keys ?? new TableKeys(registry),
    ...(front && { front }),
    place,
    makesAdmin: false,
    tidy: async () => void (await drainOutbox(registry)),
    close: async () => {
      await registry.downloads?.flush(registry).catch(() => undefined);
      await Promise.all(unfinished);
    },
  };
}
