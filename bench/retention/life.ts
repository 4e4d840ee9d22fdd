import type { RepositoryName } from '../../functions/oci/reference.ts';
import { type Policy, putPolicy } from '../../functions/registry/policies.ts';
import type { Estate } from './estate.ts';
import { open } from './fill.ts';
import { type Day, liveDay, type MovedRegistry } from './hours.ts';

/** Ours: what is measured ends on the day after the one on which nothing changed, and never later. */
const MOST_DAYS = 14;

/** Lets a tag go after 90 days, a manifest without a tag after one, and both can be restored for another day. */
export const POLICY: Policy = {
  name: 'all',
  repositories: ['*'],
  retention: { tags: [{ match: ['v*'], keepLast: 10, keepNewerThanDays: 90 }], untaggedAfterDays: 1 },
};

/** How large the repository is, and how many of its images go; and how many small ones are beside it. */
export interface RetentionScale {
  readonly images: number;
  readonly old: number;
  readonly others: number;
  /** How many days it is left alone then. @default none */
  readonly idleDays?: number;
}

export const LARGE = 'large/app' as RepositoryName;
const OTHER_IMAGES = 20;

/** The repositories of a registry, the large one first. */
export function estatesOf({ images, old, others }: RetentionScale): readonly Estate[] {
  const name = (number: number) => `small/n${String(number).padStart(3, '0')}` as RepositoryName;
  const small = Array.from({ length: others }, (_, number) => ({
    ...{ name: name(number), images: OTHER_IMAGES, old: OTHER_IMAGES / 4 },
  }));
  return [{ name: LARGE, images, old }, ...small];
}

/** Sets the policy, and has the registry live until a day has gone by on which nothing went. The contents are there. */
export async function live(moved: MovedRegistry, scale: RetentionScale): Promise<readonly Day[]> {
  const started = moved.bare.now();
  await open(moved.bare, estatesOf(scale));
  await putPolicy(moved.bare, POLICY);
  const names = estatesOf(scale).map(({ name }) => name);
  const others = names.filter((name) => name !== LARGE);
  const days: Day[] = [];
  for (let day = 0; day < MOST_DAYS && !isQuiet(days); day += 1) {
    days.push(await liveDay(moved, { day, started, large: LARGE, others }));
  }
  const idleFrom = days.length;
  for (let day = idleFrom; day < idleFrom + (scale.idleDays ?? 0); day += 1) {
    days.push(await liveDay(moved, { day, started, large: LARGE, others }));
  }
  return days;
}

/** Whether all that was to go went before the last day. */
function isQuiet(days: readonly Day[]): boolean {
  const last = days.at(-1);
  return last?.isDone === true && !hasGone(last) && days.some(hasGone);
}

const hasGone = ({ gone }: Day) => Object.keys(gone).length > 0;
