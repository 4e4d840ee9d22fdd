import type { Digest } from '../oci/digest.ts';
import { conflict, manifestUnknown, RegistryError } from '../oci/errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { MAX_OPERATIONS } from '../storage/table.ts';
import { graveKey, manifestKey, tagKey } from './keys.ts';
import { putManifest } from './manifest-push.ts';
import { isImmutable, listPolicies, policiesFor } from './policies.ts';
import { charge, rulesFor } from './quotas.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { entriesOf, type Goal, type Restored, rootEntries } from './restore-entries.ts';
import { bytesOf, type Piece, planRestore } from './restore-plan.ts';
import { lastPlaceOf, lastTaggedOn, placeAt, tagsEver } from './tag-history.ts';

export type { Restored } from './restore-entries.ts';

export interface RestoreOptions {
  /** Milliseconds since 1970, after which it begins nothing further; whoever asks again goes on. */
  readonly until: number;
  /** Only tells what would come back. @default false */
  readonly dryRun?: boolean;
}

/** `remaining` where its time was not enough: the same request goes on. */
export interface RestoreResult {
  readonly entries: readonly Restored[];
  readonly remaining: boolean;
}

/** What is to come back; `at` in milliseconds since 1970. */
export type Wanted =
  | { readonly tag: Tag; readonly digest?: Digest; readonly at?: number }
  | { readonly tag?: undefined; readonly digest: Digest; readonly at?: number };

/** Brings back a manifest, or a tag: as it was at a time, on the manifest that is named, or before it was deleted. All
 *  that a manifest lists comes first, then what belonged to it when it was deleted; the tag comes last. It is pushed as
 *  any push: it may die at any step and be run again, and the last of several writers of a tag wins. A conflict where
 *  it cannot be done, with the reason. */
export async function restore(
  registry: Registry,
  name: RepositoryName,
  wanted: Wanted,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const goal = wanted.tag === undefined ? wanted : await goalOf(registry, name, wanted.tag, wanted);
  if ('outcome' in goal) return { entries: [goal], remaining: false };
  return reach(registry, name, goal, options);
}

/** Where a tag is to be put; without a time, one that exists stays where it is. */
async function goalOf(
  registry: Registry,
  name: RepositoryName,
  tag: Tag,
  { digest, at }: { readonly digest?: Digest; readonly at?: number },
): Promise<Goal | Restored> {
  if (digest) {
    const taggedAt = await lastTaggedOn(registry, name, tag, digest);
    return { tag, digest, taggedAt, ...(at !== undefined && { at }) };
  }
  if (at !== undefined) {
    const was = await placeAt(registry, name, tag, at);
    if (was) return { tag, digest: was.digest, taggedAt: was.taggedAt, at };
    throw conflict(
      `there was no tag ${tag} on ${new Date(at).toISOString()}; its history says when there was`,
    );
  }
  const found = await registry.table.get(tagKey(name, tag));
  if (found) {
    const reason = 'it is not deleted; name a time to move it back';
    return { kind: 'tag', tag, digest: found['digest'] as Digest, outcome: 'unchanged', reason };
  }
  const was = await lastPlaceOf(registry, name, tag);
  if (!was) throw manifestUnknown(name, tag);
  return { tag, digest: was.digest, taggedAt: was.taggedAt };
}

/** A page that a client need not wait for longer, nor hold more of. */
const MAX_ENTRIES = 1000;

/** Puts all tags of a repository back to where they were at a time (milliseconds), also those that were deleted since; tags
 *  that came later stay. What cannot come back does not stop the others. Goes on behind the tag `last`; `next` is the
 *  `last` of the request that goes on. */
export async function restoreTags(
  registry: Registry,
  name: RepositoryName,
  { at, last }: { readonly at: number; readonly last?: string },
  options: RestoreOptions,
): Promise<RestoreResult & { readonly next?: Tag }> {
  const entries: Restored[] = [];
  const seen = new Set<Digest>();
  /** Manifests that several tags need are told once. */
  const isNews = ({ kind, digest, outcome }: Restored) => {
    if (outcome === 'unchanged') return false;
    if (kind === 'tag' || !digest) return true;
    const isNew = !seen.has(digest);
    seen.add(digest);
    return isNew;
  };
  let done: Tag | undefined;
  for await (const tag of tagsEver(registry, name, last)) {
    const isOver = registry.now() >= options.until || entries.length >= MAX_ENTRIES;
    if (done !== undefined && isOver) return { entries, remaining: true, next: done };
    const was = await placeAt(registry, name, tag, at);
    if (was) {
      const goal = { tag, digest: was.digest, taggedAt: was.taggedAt, at };
      const result = await reachOrTell(registry, name, goal, options);
      entries.push(...result.entries.filter(isNews));
      if (result.remaining) return { entries, remaining: true, ...(done !== undefined && { next: done }) };
    }
    done = tag;
  }
  return { entries, remaining: false };
}

/** A refusal of one tag, by a policy for example, is told with the others. */
async function reachOrTell(
  registry: Registry,
  name: RepositoryName,
  goal: Goal & { readonly tag: Tag },
  options: RestoreOptions,
): Promise<RestoreResult> {
  try {
    return await reach(registry, name, goal, options);
  } catch (error) {
    if (!(error instanceof RegistryError) || error.status === 429) throw error;
    const { tag, digest } = goal;
    const entry = { kind: 'tag', tag, digest, outcome: 'lost', reason: error.message } as const;
    return { entries: [entry], remaining: false };
  }
}

/** Plans, and pushes what is planned; where something is deleted meanwhile, both again. */
async function reach(
  registry: Registry,
  name: RepositoryName,
  goal: Goal,
  options: RestoreOptions,
): Promise<RestoreResult> {
  return untilWon(registry, async () => {
    const before = await digestOn(registry, name, goal.tag);
    const plan = await planRestore(registry, name, goal.digest, goal.at);
    if (plan.missing.length > 0) throw conflict(plan.missing.join('; '));
    await requireMovable(registry, name, goal, before);
    const steps = stepsOf(plan.pieces, goal, before);
    await requireTags(registry, name, steps);
    const isDone = options.dryRun || (await pushAll(registry, name, steps, options));
    if (isDone === LOST) return LOST;
    return isDone
      ? { entries: [...entriesOf(plan), ...rootEntries(plan, goal, before)], remaining: false }
      : { entries: [], remaining: true };
  });
}

/** A manifest that is pushed again, and the tags that are put on it with it, each with the time that its history says. */
interface RestoreStep {
  readonly digest: Digest;
  readonly tags: ReadonlyMap<Tag, number | undefined>;
}

/** The tag that was asked for comes in the transaction that brings its manifest: where it is refused, the manifest is not there
 *  without it. */
function stepsOf(
  pieces: readonly Piece[],
  { tag, digest, taggedAt }: Goal,
  before: Digest | undefined,
): readonly RestoreStep[] {
  if (tag === undefined || before === digest) return pieces;
  const moved = (tags: ReadonlyMap<Tag, number> = new Map()) => new Map([...tags, [tag, taggedAt] as const]);
  if (!pieces.some((piece) => piece.digest === digest)) return [...pieces, { digest, tags: moved() }];
  return pieces.map((piece) => (piece.digest === digest ? { digest, tags: moved(piece.tags) } : piece));
}

/** DENIED before anything is done where a quota has no room for the tags. */
async function requireTags(
  registry: Registry,
  name: RepositoryName,
  steps: readonly RestoreStep[],
): Promise<void> {
  const tags = [...new Set(steps.flatMap((step) => [...step.tags.keys()]))];
  let absent = 0;
  for (let start = 0; start < tags.length; start += MAX_OPERATIONS) {
    const batch = tags.slice(start, start + MAX_OPERATIONS);
    const found = await registry.table.getMany(batch.map((tag) => tagKey(name, tag)));
    absent += found.filter((tag) => tag === undefined).length;
  }
  if (absent > 0) await charge(registry, await rulesFor(registry, name), { tags: absent });
}

async function digestOn({ table }: Registry, name: RepositoryName, tag: Tag | undefined) {
  const found = tag === undefined ? undefined : await table.get(tagKey(name, tag));
  return found?.['digest'] as Digest | undefined;
}

/** Whether there was time for all. */
async function pushAll(
  registry: Registry,
  name: RepositoryName,
  steps: readonly RestoreStep[],
  { until }: RestoreOptions,
): Promise<boolean | typeof LOST> {
  for (const [index, { digest, tags }] of steps.entries()) {
    // One at least, so that whoever asks again and again comes to an end.
    if (index > 0 && registry.now() >= until) return false;
    if ((await pushAgain(registry, name, digest, tags)) === LOST) return LOST;
  }
  return true;
}

/** A conflict where a policy keeps the tag where it is. */
async function requireMovable(
  registry: Registry,
  name: RepositoryName,
  { tag, digest }: Goal,
  before: Digest | undefined,
): Promise<void> {
  if (tag === undefined || before === undefined || before === digest) return;
  const isHeld = isImmutable(policiesFor(await listPolicies(registry), name), tag);
  if (isHeld) throw conflict(`the tag ${tag} is immutable, and on ${before}`);
}

/** Loses where something it needs was deleted, or its quarantine ended, since it was planned. */
async function pushAgain(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
  datesFrom: ReadonlyMap<Tag, number | undefined>,
) {
  const [manifest, grave] = await registry.table.getMany([manifestKey(name, digest), graveKey(name, digest)]);
  const found = manifest ?? grave;
  const bytes = await bytesOf(registry, name, digest, { manifest, grave });
  if (!found || !bytes) return LOST;
  const contentType = found['mediaType'] as string;
  try {
    const restores = { manifest: found, datesFrom };
    const tags = [...datesFrom.keys()];
    await putManifest(registry, { repository: name, bytes, contentType, digest, tags, restores });
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'MANIFEST_BLOB_UNKNOWN') return LOST;
    throw error;
  }
  return true;
}
