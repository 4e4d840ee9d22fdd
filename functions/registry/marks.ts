import { type Attributes, type Condition, equals, type Key, present } from '../storage/table.ts';
import type { Registry } from './registry.ts';

// Whoever deletes a blob link or a manifest marks it first (`going`), then looks who uses it, then removes it on condition
// that the mark is still on it. Whoever is about to use it takes the mark off. docs/concurrency.md tells why.

/** What takes the mark off. */
export const UNMARKED: Attributes = { going: '' };

/** The mark that is on it. */
export const goingOf = ({ going }: Attributes): string | undefined =>
  going === '' ? undefined : (going as string);

/** That the mark is still on it. */
export const markOf = (going: string): Condition => equals('going', going);

/** Marks what was read as about to be deleted, unless somebody has, and answers the condition that the mark is still on it;
 *  `undefined` where it is not there any more. Who uses it is to be read after this. */
export async function markAsGoing(
  { table, newId }: Registry,
  key: Key,
  found: Attributes,
): Promise<Condition | undefined> {
  // That of another delete, perhaps of one that died: all of them look once it is there, and one removes.
  const before = goingOf(found);
  if (before !== undefined) return markOf(before);
  const going = newId();
  const { committed } = await table.write([{ update: key, set: { going }, when: [present] }]);
  return committed ? markOf(going) : undefined;
}
