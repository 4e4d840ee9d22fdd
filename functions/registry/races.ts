import type { Digest } from '../oci/digest.ts';
import { isTooBusy, tooBusy } from '../oci/host-errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { Registry } from './registry.ts';

/** What an attempt answers when another writer changed what it had read. */
export const LOST = Symbol('lost race');

/** Ours: with the 5 s that a table may stay busy less than the 29 s that a Lambda has. */
const PATIENCE_MS = 20_000;

type Attempt<T> = () => Promise<T | typeof LOST>;
type Won<T> = Exclude<T, typeof LOST>;

/** Repeats `attempt`, which reads anew each time, until it wins or refuses. TOOMANYREQUESTS where it has lost, or the table was
 *  busy with others, for 20 s or until `racesUntil`. */
export async function untilWon<T>(registry: Registry, attempt: Attempt<T>): Promise<Won<T>> {
  const { steady, racesUntil = Number.POSITIVE_INFINITY, pause } = registry;
  const end = Math.min(steady() + PATIENCE_MS, racesUntil);
  for (let tried = 1; ; tried += 1) {
    const result = await unlessBusy(attempt);
    if (result !== LOST) return result as Won<T>;
    if (steady() >= end) throw tooBusy();
    await pause(tried);
  }
}

/** A tag, as what many may change. */
export const tagTopic = (repository: RepositoryName, tag: Tag) => `${repository}:${tag}` as const;

/** As `untilWon`, of what many do to one blob or manifest, to tags, or to both, in this order, and tags in theirs: who has lost once, or
 *  met others at an item, takes a turn, so that none waits for ever. An attempt is to use the registry that it is given, which takes no turns: it would wait for itself. */
export async function inTurn<T>(
  { turns, ...registry }: Registry,
  what: readonly (Digest | ReturnType<typeof tagTopic>)[],
  attempt: (registry: Registry) => ReturnType<Attempt<T>>,
): Promise<Won<T>> {
  if (!turns) return untilWon(registry, () => attempt(registry));
  for (const each of what) await turns.free(each);
  const hasty = { ...registry, table: registry.table.hasty?.() ?? registry.table };
  const result = await unlessBusy(() => attempt(hasty));
  if (result !== LOST) return result as Won<T>;
  const ends: (() => void)[] = [];
  for (const each of what) ends.push(await turns.take(each));
  try {
    return await untilWon(registry, () => attempt(registry));
  } finally {
    for (const end of ends) end();
  }
}

/** Who finds the table busy with others has lost to them. */
async function unlessBusy<T>(attempt: Attempt<T>): Promise<T | typeof LOST> {
  try {
    return await attempt();
  } catch (error) {
    if (isTooBusy(error)) return LOST;
    throw error;
  }
}
