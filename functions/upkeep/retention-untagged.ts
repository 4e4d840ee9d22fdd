import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import { ownerByName } from '../registry/companions.ts';
import { graveKey, tagIndexKey, tagKey } from '../registry/keys.ts';
import { leftAt } from '../registry/tag-history.ts';
import { isSameTag } from '../registry/tags.ts';
import { type Attributes, absent, type Item, present } from '../storage/table.ts';
import type { Finding } from './finding.ts';
import type { Going } from './retention-burial.ts';
import { getEach, imageFacts, pullsOf } from './retention-facts.ts';
import type { RetentionRun } from './retention-run.ts';
import { expectSoon } from './stage.ts';

/** A manifest that no index lists and that has no subject, or none that is there. */
export interface Candidate {
  readonly digest: Digest;
  readonly found: Attributes;
  /** Tags that may be on it: nothing says that they have left. */
  readonly tags: readonly Tag[];
  /** What it may have belonged to. */
  readonly former: readonly Digest[];
  /** Milliseconds since 1970: it was pushed, tagged, pulled, or belonged to something then, as far as is known. */
  readonly since: number;
  /** When a rule by image deleted a tag of it. */
  readonly retiredAt?: number;
  /** Of these, when it was pulled. */
  readonly pulledAt?: number;
}

type Find = Awaited<ReturnType<typeof getEach>>;

/** Decides of manifests that may belong to nothing, some hundred at once. Each step looks up only what those before leave open. */
export class Untagged {
  readonly #run: RetentionRun;
  readonly #isThere: (digest: Digest) => boolean;

  constructor(run: RetentionRun, isThere: (digest: Digest) => boolean) {
    [this.#run, this.#isThere] = [run, isThere];
  }

  async decide(candidates: readonly Candidate[]): Promise<Going[]> {
    const steps = [
      (open: readonly Candidate[]) => this.#withoutTags(open),
      (open: readonly Candidate[]) => this.#sinceLost(open),
      (open: readonly Candidate[]) => this.#sincePulled(open),
    ];
    let open = this.#unlessYoung(candidates);
    for (const step of steps) open = this.#unlessYoung(await step(open));
    const going: Going[] = [];
    for (const candidate of open) {
      const verdict = await this.#run.judgeUntagged(candidate);
      if (verdict.keeps) this.#run.tellKept(candidate, verdict.reason);
      else going.push(this.#goingOf(candidate, verdict));
    }
    // Somebody may come between.
    if (going.length > 0) expectSoon(this.#run.sweep);
    return going;
  }

  /** Shows those that have no tag to the rules that rank them. */
  async observe(candidates: readonly Candidate[]): Promise<void> {
    const { rules, sweep } = this.#run;
    const untagged = await this.#withoutTags(candidates, { isOnlySeen: true });
    for (const candidate of await this.#sincePulled(await this.#sinceLost(untagged))) {
      const image = rules.ranksNeed.has('image') && { image: await imageFacts(sweep, candidate) };
      rules.observeUntagged({ ...candidate, ...image });
    }
  }

  #unlessYoung(candidates: readonly Candidate[]): readonly Candidate[] {
    return candidates.filter((candidate) => {
      const verdict = this.#run.rules.judgeUntagged(candidate);
      if ('needs' in verdict || !verdict.keeps) return true;
      // That it has a tag says more, where everything is told.
      if (this.#run.sweep.tellsKept && candidate.tags.length > 0) return true;
      this.#run.tellKept(candidate, verdict.reason);
      return false;
    });
  }

  async #withoutTags(candidates: readonly Candidate[], { isOnlySeen = false } = {}): Promise<Candidate[]> {
    const { registry, name } = this.#run.sweep;
    const keys = candidates.flatMap(({ tags }) => tags.map((tag) => tagKey(name, tag)));
    const find = await getEach(registry, keys);
    const decided = await Promise.all(candidates.map((each) => this.#lookAtTags(each, find, isOnlySeen)));
    return decided.flatMap((each) => each ?? []);
  }

  /** `undefined` where a tag stays that is on it. */
  async #lookAtTags(candidate: Candidate, find: Find, isOnlySeen: boolean): Promise<Candidate | undefined> {
    const { sweep } = this.#run;
    const items = candidate.tags.map((tag) => ({ tag, key: tagKey(sweep.name, tag) }));
    const on: Item[] = [];
    let { since } = candidate;
    for (const { tag, key } of items) {
      const attributes = find(key);
      if (attributes?.['digest'] === candidate.digest) on.push({ key, attributes });
      else since = Math.max(since, await this.#leftAt(candidate, tag, attributes));
    }
    if (on.length === 0) return { ...candidate, tags: [], since };
    if (isOnlySeen) return undefined;
    const { why, ...losing } = await this.#staying(candidate.digest, on);
    if (why === undefined) return { ...candidate, ...losing, tags: [], since: Math.max(since, losing.left) };
    this.#run.tellKept(candidate, why);
    return undefined;
  }

  /** Why one of its tags stays. In a run those that go have gone before; a dry run asks the rules once more. */
  async #staying(digest: Digest, on: readonly Item[]) {
    const tags = on.map(({ key }) => key.sort.slice('T#'.length) as Tag);
    const owner = tags.map((tag) => ownerByName(tag, digest)).find((each) => each && this.#isThere(each));
    const none = { left: 0 };
    if (owner) return { ...none, why: `what it belongs to stays: ${owner}` };
    if (!this.#run.sweep.dryRun) return { ...none, why: `tag ${tags[0]} is on it` };
    const decisions = await this.#run.judge.judge(on);
    const kept = decisions.find(({ finding }) => finding.action === 'keep');
    if (kept) return { ...none, why: `tag ${kept.tag} is on it` };
    const now = this.#run.sweep.registry.now();
    const left = Math.max(...decisions.map(({ left = now }) => left));
    const retires = decisions.some((each) => each.retires) && { retiredAt: left };
    return { why: undefined, left, ...retires };
  }

  /** Since when a tag is not on it any more, as its history says, looked up once: it is noted, as every move does it now. */
  async #leftAt({ digest, found }: Candidate, tag: Tag, now: Attributes | undefined): Promise<number> {
    const { registry, name, dryRun } = this.#run.sweep;
    const left = (await leftAt(registry, name, tag, digest)) ?? (found['pushedAt'] as number);
    if (!dryRun) {
      await registry.table.write([
        { update: tagIndexKey(name, digest, tag), set: { left }, when: [present] },
        { check: tagKey(name, tag), when: now ? isSameTag(now) : [absent] },
      ]);
    }
    return left;
  }

  /** What it belonged to may have been deleted later than all that is known of it. */
  async #sinceLost(candidates: readonly Candidate[]): Promise<Candidate[]> {
    const { registry, name } = this.#run.sweep;
    const keys = candidates.flatMap(({ former }) => former.map((owner) => graveKey(name, owner)));
    const find = await getEach(registry, keys);
    return candidates.map((candidate) => {
      const graves = candidate.former.map((owner) => find(graveKey(name, owner)));
      const lost = graves.map((grave) => (grave?.['deletedAt'] as number | undefined) ?? 0);
      return { ...candidate, since: Math.max(candidate.since, ...lost) };
    });
  }

  async #sincePulled(candidates: readonly Candidate[]): Promise<Candidate[]> {
    const pulls = await pullsOf(this.#run.sweep, candidates);
    return candidates.map((candidate, index) => {
      const pulledAt = pulls[index];
      if (typeof pulledAt !== 'number') return candidate;
      return { ...candidate, pulledAt, since: Math.max(candidate.since, pulledAt) };
    });
  }

  #goingOf(
    { digest, found, since, pulledAt }: Candidate,
    { keeps: _, ...why }: Awaited<ReturnType<RetentionRun['judgeUntagged']>> & { readonly keeps: false },
  ): Going {
    const finding: Finding = {
      ...{ action: 'delete' as const, kind: 'manifest' as const, digest, ...why },
      size: found['size'] as number,
      ageMs: this.#run.sweep.registry.now() - since,
      ...(pulledAt !== undefined && { lastPulledAt: pulledAt }),
    };
    return { digest, finding };
  }
}
