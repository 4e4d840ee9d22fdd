import type { Digest } from '../oci/digest.ts';
import { manifestUnknown } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { type Attributes, equals, type Item } from '../storage/table.ts';
import { lastPartOf, manifestKey, repositoryKey, retentionHoldKey, retentionHoldsOf } from './keys.ts';
import { UNMARKED } from './marks.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { disturb } from './rest.ts';

/** Keeps a manifest, what belongs to it, and the tags on it from retention. */
export interface RetentionHold {
  readonly digest: Digest;
  /** For people. */
  readonly reason: string;
  readonly by?: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Milliseconds since 1970. @default until somebody ends it */
  readonly until?: number;
}

/** Holds the manifest, in place of a hold that is on it; MANIFEST_UNKNOWN where it is not there. A run that is about to delete it
 *  does not any more. */
export async function holdManifest(
  registry: Registry,
  name: RepositoryName,
  { digest, reason, until }: Pick<RetentionHold, 'digest' | 'reason' | 'until'>,
): Promise<void> {
  await disturb(registry, name);
  const key = manifestKey(name, digest);
  await untilWon(registry, async () => {
    const [repository, found] = await registry.table.getMany([repositoryKey(name), key]);
    if (!found) throw manifestUnknown(name, digest);
    const by = registry.actor === undefined ? {} : { by: registry.actor };
    const attributes = { reason, at: registry.now(), ...by, ...(until !== undefined && { until }) };
    const touched = found['touched'] as number;
    const set = {
      touched: Math.max(touched, (repository?.['epoch'] as number | undefined) ?? 0),
      ...UNMARKED,
    };
    const { committed } = await registry.table.write([
      { put: retentionHoldKey(name, digest), attributes },
      { update: key, set, when: [equals('touched', touched)] },
    ]);
    return committed || LOST;
  });
}

/** Ends a hold; answers whether there was one. */
export async function endHoldOn(registry: Registry, name: RepositoryName, digest: Digest): Promise<boolean> {
  await disturb(registry, name);
  const { table } = registry;
  const key = retentionHoldKey(name, digest);
  const found = await table.get(key);
  if (found) await table.write([{ remove: key }]);
  return found !== undefined;
}

const AT_ONCE = 1000;

/** All holds of a repository, those that are over as well. */
export async function listRetentionHolds(
  { table }: Registry,
  name: RepositoryName,
): Promise<RetentionHold[]> {
  const holds: RetentionHold[] = [];
  for (let after: string | undefined; ; ) {
    const range = { ...retentionHoldsOf(name), limit: AT_ONCE, ...(after !== undefined && { after }) };
    const page = await table.query(range);
    holds.push(...page.map(holdOf));
    if (page.length < AT_ONCE) return holds;
    after = page.at(-1)?.key.sort;
  }
}

/** Whether a hold, as its item says, is not over yet. */
export const isInForce = (hold: Pick<RetentionHold, 'until'> | Attributes | undefined, now: number) =>
  hold !== undefined && ((hold.until as number | undefined) ?? Number.POSITIVE_INFINITY) > now;

function holdOf(item: Item): RetentionHold {
  const { reason, by, at, until } = item.attributes;
  return {
    digest: lastPartOf(item) as Digest,
    reason: reason as string,
    at: at as number,
    ...(by !== undefined && { by: by as string }),
    ...(until !== undefined && { until: until as number }),
  };
}
