import { HISTORY_SECONDS } from '../limits.ts';
import { historiesOf, movedAtIn, movedTagIn } from '../registry/keys.ts';
import { removeEach } from '../registry/pushes-under-way.ts';
import { type Item, MAX_OPERATIONS } from '../storage/table.ts';
import { isOver, type Position, type Sweep } from './stage.ts';

/** Ours: old moves are looked for once in so many epochs, a month: to read a history costs what it holds. */
const EPOCHS_BETWEEN = 30;

/** Whether a month is over between two moments, of those that have gone by since a repository was made. */
export function isMonthLater(
  from: number,
  to: number,
  { createdAt, epochMs }: { createdAt: number; epochMs: number },
) {
  const monthOf = (moment: number) => Math.floor((moment - createdAt) / (EPOCHS_BETWEEN * epochMs));
  return monthOf(from) !== monthOf(to);
}

/** Removes moves of tags that are older than they are known, but for the last one of a tag that is there: that says where it was
 *  before it moves. A tag whose deletion is that old is forgotten. */
export async function endHistories(sweep: Sweep, after: Position) {
  const { registry, name, isMonthly, dryRun } = sweep;
  if (dryRun || !isMonthly) return { done: true };
  const oldest = new Date(registry.now() - HISTORY_SECONDS * 1000).toISOString();
  for (let from = after; ; ) {
    const range = { ...historiesOf(name), limit: MAX_OPERATIONS, ...(from !== undefined && { after: from }) };
    const moves = await registry.table.query(range);
    const isLast = moves.length < MAX_OPERATIONS;
    const known = isLast ? moves : moves.slice(0, -1);
    const old = known.filter((move, index) => isObsolete(move, moves[index + 1], oldest));
    await removeEach(
      registry,
      old.map(({ key }) => ({ remove: key })),
    );
    if (isLast) return { done: true };
    from = known.at(-1)?.key.sort;
    if (isOver(sweep)) return { done: false, ...(from !== undefined && { after: from }) };
    await registry.giveWay?.();
  }
}

/** Whether another move of its tag is as old, or it is a deletion after which nothing came. */
function isObsolete(move: Item, next: Item | undefined, oldest: string): boolean {
  if (movedAtIn(move) >= oldest) return false;
  if (next && movedTagIn(next) === movedTagIn(move)) return movedAtIn(next) < oldest;
  return move.attributes['digest'] === undefined;
}
