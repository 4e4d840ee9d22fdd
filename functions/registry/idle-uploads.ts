import { OUTBOX_DELAY_SECONDS, UPLOAD_TOKEN_SECONDS } from '../limits.ts';
import { isDenied } from '../oci/errors.ts';
import type { Item } from '../storage/table.ts';
import { type Hold, type Holder, holdIn } from './hold-items.ts';
import { holdsOf, lastPartOf } from './keys.ts';
import type { Registry } from './registry.ts';
import { endUpload, keepReceived } from './upload-ending.ts';
import { findUpload, type RuledSession, unchanged } from './upload-sessions.ts';

/** Ours: an upload that nobody has written to for so long, and whose token is void, is given up where its room is needed; one
 *  that somebody seems to write to, who has died most likely, later. */
const IDLE_MS = UPLOAD_TOKEN_SECONDS * 1000;
const STUCK_MS = OUTBOX_DELAY_SECONDS * 1000;

/** How many are looked at, and how many of them end at once. */
const LOOKED_AT = 1000;
const ENDED_AT_ONCE = 20;

type Wanted = Pick<RuledSession, 'repository' | 'rules'> & Partial<Holder>;

/** What `act` answers; where a quota denies it, once more after uploads into the repository that nobody goes on with have ended. */
export async function withRoom<T>(registry: Registry, wanted: Wanted, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!isDenied(error) || !(await endIdleUploads(registry, wanted))) throw error;
    return act();
  }
}

/** Answers whether there was any. */
async function endIdleUploads({ actor: _, ...registry }: Registry, wanted: Wanted): Promise<boolean> {
  const holds = await registry.table.query({ ...holdsOf(wanted.repository), limit: LOOKED_AT });
  const idle = holds.filter((item) => lastPartOf(item) !== wanted.id && isIdle(item, registry.now()));
  const ended = idle.slice(0, ENDED_AT_ONCE).map((item) => endIdle(registry, wanted, lastPartOf(item)));
  return (await Promise.all(ended)).some((isEnded) => isEnded);
}

function isIdle({ attributes }: Item, now: number): boolean {
  const { at, writers } = holdIn(attributes) as Hold;
  return at + (writers > 0 ? STUCK_MS : IDLE_MS) <= now;
}

/** Whoever opened it. */
async function endIdle(registry: Registry, { rules }: Wanted, id: string): Promise<boolean> {
  const found = await findUpload(registry, id);
  if (!found) return false;
  const session = { ...found, rules };
  if (await keepReceived(registry, session)) return true;
  return endUpload(registry, session, unchanged(session));
}
