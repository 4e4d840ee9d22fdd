import { MAX_LIST_ENTRIES, MIN_EPOCH_SECONDS } from '../limits.ts';
import type { RepositoryName } from '../oci/reference.ts';
import {
  type Attributes,
  absent,
  equals,
  type Item,
  type Key,
  MAX_OPERATIONS,
  present,
} from '../storage/table.ts';
import { inTurns, type Steps } from './in-turns.ts';
import {
  directoryKey,
  policiesKey,
  repositoriesBeginning,
  repositoryIn,
  repositoryKey,
  sweepEntryKey,
} from './keys.ts';
import { UNMARKED } from './marks.ts';
import type { Page, PageRequest } from './pages.ts';
import { type Rules, rulesIn } from './policies.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { disturb, type Rest, restIn } from './rest.ts';

/** What is known of a repository. Pushes read it; none writes it, but for the first. */
export interface Repository extends Rest {
  readonly name: RepositoryName;
  /** Raised by sweeps, once a day. */
  readonly epoch: number;
  /** Milliseconds since 1970: since when. */
  readonly epochAt: number;
  /** Whether it has its entry in the catalog. */
  readonly listed: boolean;
  /** Whether it has had a list of its tags' names from the beginning. */
  readonly namesTags: boolean;
  /** Whether anybody may pull from it. */
  readonly isPublic: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970: since when a sweep has found nothing in it, and will forget it; absent where it is in use. */
  readonly endingSince?: number;
}

/** The repository, or `undefined` where nothing was ever pushed under this name. */
export async function findRepository(
  { table }: Registry,
  name: RepositoryName,
): Promise<Repository | undefined> {
  const attributes = await table.get(repositoryKey(name));
  return attributes && repositoryOf(name, attributes);
}

/** The repository, made now where it does not exist, and in use from now on where a sweep was about to forget it. It joins the
 *  catalog with its first manifest. */
export async function openRepository(registry: Registry, name: RepositoryName): Promise<Repository> {
  return untilWon(registry, async () => {
    const found = await findRepository(registry, name);
    if (found) return keepInUse(registry, found);
    const now = registry.now();
    const sweepDue = now + MIN_EPOCH_SECONDS * 1000;
    const attributes = { createdAt: now, epoch: 0, epochAt: now, sweepDue, listed: false, namesTags: true };
    const { committed } = await registry.table.write([
      { put: repositoryKey(name), attributes, when: [absent] },
      { put: sweepEntryKey(name, sweepDue), attributes: {} },
    ]);
    return committed ? repositoryOf(name, attributes) : LOST;
  });
}

/** Loses where it was forgotten, or kept by others. */
async function keepInUse(
  registry: Registry,
  { endingSince, ...repository }: Repository,
): Promise<Repository | typeof LOST> {
  await disturb(registry, repository.name, repository);
  if (endingSince === undefined) return repository;
  const when = [equals('ending', endingSince)];
  const { committed } = await registry.table.write([
    { update: repositoryKey(repository.name), set: { ending: 0 }, when },
  ]);
  return committed ? repository : LOST;
}

/** A repository as a push finds it. */
export interface PushTarget extends Repository {
  readonly rules: Rules;
}

/** As `openRepository`, with the policies that hold for it and what else is asked for, in one read where it exists. */
export async function openForPush(
  registry: Registry,
  name: RepositoryName,
  keys: readonly Key[] = [],
): Promise<{ readonly repository: PushTarget; readonly found: readonly (Attributes | undefined)[] }> {
  const [attributes, stored, ...found] = await registry.table.getMany([
    repositoryKey(name),
    policiesKey,
    ...keys,
  ]);
  const isInUse = attributes && !attributes['ending'];
  if (isInUse) await disturb(registry, name, restIn(attributes));
  const repository = isInUse ? repositoryOf(name, attributes) : await openRepository(registry, name);
  return { repository: { ...repository, rules: rulesIn(stored, name) }, found };
}

/** What the catalog knows of a repository. */
export interface RepositoryEntry {
  readonly name: RepositoryName;
  readonly isPublic: boolean;
}

/** How many entries are read at once, or as many as tell that a page is not the last. A page is read until it is full,
 *  however many repositories are hidden in between: where it ended before, its `next` would name one of them. */
const READ_AT_ONCE = 1000;

/** Repositories that are visible to whoever asks, all or those that begin with `prefix`, in the byte order of their names; `next` is the `last` of the page
 *  that follows. */
export async function listEntries(
  registry: Registry,
  page: PageRequest & { readonly prefix?: string },
  isVisible: (entry: RepositoryEntry) => boolean,
): Promise<{ entries: readonly RepositoryEntry[]; next?: string }> {
  const limit = Math.min(page.limit, MAX_LIST_ENTRIES);
  if (limit === 0) return { entries: [] };
  const entries: RepositoryEntry[] = [];
  const atOnce = Math.max(READ_AT_ONCE, limit + 1);
  const range = repositoriesBeginning(page.prefix ?? '');
  for (let last = page.last; ; ) {
    const after = last === undefined ? {} : { after: last };
    const items = await registry.table.query({ ...range, ...after, limit: atOnce });
    entries.push(...(await inTurns(registry, visibleAmong(items, isVisible))));
    if (entries.length > limit)
      return { entries: entries.slice(0, limit), next: entries[limit - 1]?.name as string };
    if (items.length < atOnce) return { entries };
    last = items.at(-1)?.key.sort;
  }
}

/** Whoever asks may have some thousand grants, each of which is looked at. */
function* visibleAmong(
  items: readonly Item[],
  isVisible: (entry: RepositoryEntry) => boolean,
): Steps<readonly RepositoryEntry[]> {
  const found: RepositoryEntry[] = [];
  for (const item of items) {
    const entry = entryOf(item);
    if (isVisible(entry)) found.push(entry);
    yield;
  }
  return found;
}

/** As `listEntries`, names only. */
export async function listRepositories(
  registry: Registry,
  page: PageRequest,
  isVisible: (entry: RepositoryEntry) => boolean,
): Promise<Page> {
  const { entries, ...rest } = await listEntries(registry, page, isVisible);
  return { entries: entries.map(({ name }) => name), ...rest };
}

/** Which of the repositories are public. */
export async function publicAmong(
  { table }: Registry,
  names: readonly RepositoryName[],
): Promise<ReadonlySet<RepositoryName>> {
  const found = new Set<RepositoryName>();
  const distinct = [...new Set(names)];
  for (let start = 0; start < distinct.length; start += MAX_OPERATIONS) {
    const batch = distinct.slice(start, start + MAX_OPERATIONS);
    const items = await table.getMany(batch.map(directoryKey));
    for (const [index, name] of batch.entries()) if (items[index]?.['public'] === true) found.add(name);
  }
  return found;
}

/** Makes a repository public or private, and makes it where it does not exist. Its entry in the catalog says so too,
 *  so that a list need not read each repository. */
export async function setVisibility(
  registry: Registry,
  name: RepositoryName,
  isPublic: boolean,
): Promise<void> {
  await untilWon(registry, async () => {
    await openRepository(registry, name);
    const { committed } = await registry.table.write([
      { update: repositoryKey(name), set: { public: isPublic, listed: true, ...UNMARKED }, when: [present] },
      { update: directoryKey(name), set: { public: isPublic } },
    ]);
    return committed || LOST;
  });
}

/** What the catalog's item says. */
export function entryOf(item: Item): RepositoryEntry {
  return { name: repositoryIn(item), isPublic: item.attributes['public'] === true };
}

function repositoryOf(name: RepositoryName, attributes: Attributes): Repository {
  return {
    name,
    epoch: attributes['epoch'] as number,
    epochAt: attributes['epochAt'] as number,
    ...restIn(attributes),
    listed: attributes['listed'] === true,
    namesTags: attributes['namesTags'] === true,
    isPublic: attributes['public'] === true,
    createdAt: attributes['createdAt'] as number,
    ...(attributes['ending'] ? { endingSince: attributes['ending'] as number } : {}),
  };
}
