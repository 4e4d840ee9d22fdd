import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import { equals, type Item, type Key, MAX_OPERATIONS, type Operation } from '../storage/table.ts';
import {
  blobKey,
  digestKey,
  lastPartOf,
  linkerIn,
  linkersOf,
  manifestKey,
  tagIndexOf,
  tagKey,
} from './keys.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';

/** An object whose place another one has taken, because its bytes were lost or damaged. */
export interface Replaced {
  readonly objectKey: ObjectKey;
  readonly digest: Digest;
  /** Whose manifest it was; absent of a blob, which has one object for all repositories. */
  readonly repository?: RepositoryName;
}

/** Beside the check of what the object is now. */
const MOVED_AT_ONCE = MAX_OPERATIONS - 1;

/** Has all that still names the object name the one that took its place: the links of a blob, the tags of a manifest. May die
 *  at any step and be run again; several may run at once. It queries and updates: who drains the outbox may do no more. */
export async function leaveBehind(registry: Registry, replaced: Replaced): Promise<void> {
  await untilWon(registry, async () => {
    const holder = holderOf(replaced);
    const [found] = await registry.table.query({
      partition: holder.partition,
      prefix: holder.sort,
      limit: 1,
    });
    const target = found?.attributes['objectKey'] as ObjectKey | undefined;
    // Deleted since, and all that named it.
    if (target === undefined || target === replaced.objectKey) return true;
    return moveAll(registry, replaced, target);
  });
}

/** The item that says which object a blob or manifest has. */
const holderOf = ({ digest, repository }: Omit<Replaced, 'objectKey'>): Key =>
  repository === undefined ? digestKey(digest) : manifestKey(repository, digest);

async function moveAll(registry: Registry, replaced: Replaced, target: ObjectKey) {
  const { digest, repository } = replaced;
  const range = repository === undefined ? linkersOf(digest) : tagIndexOf(repository, digest);
  const namerOf = (entry: Item) =>
    repository === undefined
      ? blobKey(linkerIn(entry), digest)
      : tagKey(repository, lastPartOf(entry) as Tag);
  for (let after: string | undefined; ; ) {
    const query = { ...range, limit: MOVED_AT_ONCE, keysOnly: true, ...(after !== undefined && { after }) };
    const entries = await registry.table.query(query);
    if (!(await movePage(registry, replaced, target, entries.map(namerOf)))) return LOST;
    if (entries.length < MOVED_AT_ONCE) return true;
    after = entries.at(-1)?.key.sort;
  }
}

/** Moves those that name the object and leaves the others; false where the object of `target` has been replaced, too. */
async function movePage(
  { table }: Registry,
  replaced: Replaced,
  target: ObjectKey,
  namers: readonly Key[],
): Promise<boolean> {
  const set = { objectKey: target };
  const still: Operation = { update: holderOf(replaced), set, when: [equals('objectKey', target)] };
  for (let waiting = namers; waiting.length > 0; ) {
    const when = [equals('objectKey', replaced.objectKey)];
    const outcome = await table.write([still, ...waiting.map((key) => ({ update: key, set, when }))]);
    if (outcome.committed) return true;
    const { failed } = outcome;
    if (failed.includes(0)) return false;
    waiting = waiting.filter((_, index) => !failed.includes(index + 1));
  }
  return true;
}
