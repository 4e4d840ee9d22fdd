import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { ownerByName } from '../registry/companions.ts';
import { graveKey, manifestKey, retentionHoldKey, tagIn, tagKey } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { retentionActor } from '../registry/retention-policy.ts';
import { isSameTag, removeTags, tagTimesOf } from '../registry/tags.ts';
import { type Attributes, absent, type Item, type Operation } from '../storage/table.ts';
import type { Finding } from './finding.ts';
import { allTagsOn, getEach, imageFacts, pullsOf, tagsOn } from './retention-facts.ts';
import type { Holds } from './retention-holds.ts';
import type { RetentionRules } from './retention-rules.ts';
import type { RetentionRun } from './retention-run.ts';
import type { Need, TagFacts, Verdict } from './rule-facts.ts';
import type { Sweep } from './stage.ts';

/** A tag as it was read, and what becomes of it. */
export interface TagDecision {
  readonly tag: Tag;
  readonly found: Attributes;
  /** The manifest that it belongs to by its name. */
  readonly owner: Digest | undefined;
  readonly finding: Finding;
  /** Of one that goes: since when what it is on is without it; milliseconds since 1970. @default now */
  readonly left?: number;
  /** Whether its manifest is to go with its last tag. */
  readonly retires?: boolean;
}

/** Decides of tags, some hundred at once. */
export class TagJudge {
  readonly #run: RetentionRun;
  readonly #sweep: Sweep;
  readonly #rules: RetentionRules;

  constructor(run: RetentionRun) {
    [this.#run, this.#sweep, this.#rules] = [run, run.sweep, run.rules];
  }

  /** Shows the tags to the rules that rank them. */
  async observe(items: readonly Item[]): Promise<void> {
    const ordinary = items.filter((item) => ownerOf(item) === undefined);
    let facts = ordinary.map((item) => this.#factsOf(item));
    for (const need of this.#rules.ranksNeed) facts = await this.#lookUp(need, ordinary, facts);
    for (const each of facts) this.#rules.observe(each);
  }

  async judge(items: readonly Item[]): Promise<readonly TagDecision[]> {
    const companions = items.filter((item) => ownerOf(item) !== undefined);
    const ordinary = items.filter((item) => ownerOf(item) === undefined);
    const alone = await this.#judgeOrdinary(ordinary);
    const together = await this.#goingWith(alone);
    const tags = new Set(together.map(({ tag }) => tag));
    const others = alone.filter(({ tag }) => !tags.has(tag));
    return [...others, ...together, ...(await this.#judgeCompanions(companions))];
  }

  /** Of images that rules look at as a whole, all other tags that go, on this page or not: judged while all are there. */
  async #goingWith(decisions: readonly TagDecision[]): Promise<TagDecision[]> {
    const { registry, name } = this.#sweep;
    const images = new Set(decisions.flatMap(({ retires, finding }) => (retires ? finding.digest : [])));
    const going = new Set(decisions.filter(isGoing).map(({ tag }) => tag));
    const found = await Promise.all([...images].map((digest) => tagsOn(registry, name, digest)));
    const others = found.flat().filter(({ tag }) => !going.has(tag));
    const items = others.map(({ tag, found: attributes }) => ({ key: tagKey(name, tag), attributes }));
    const judged = await this.#judgeOrdinary(
      items.filter((item) => ownerOf(item) === undefined),
      ['siblings'],
    );
    return judged.filter(isGoing);
  }

  /** `needs` is looked up for all of them. */
  async #judgeOrdinary(items: readonly Item[], needs: readonly Need[] = []): Promise<TagDecision[]> {
    const decisions: TagDecision[] = [];
    let open = items;
    let facts = items.map((item) => this.#factsOf(item));
    for (const need of needs) facts = await this.#lookUp(need, open, facts);
    while (open.length > 0) {
      const waiting = new Map<Need, number[]>();
      for (const [index, each] of facts.entries()) {
        const verdict = this.#rules.judge(each);
        if ('needs' in verdict) waiting.set(verdict.needs, [...(waiting.get(verdict.needs) ?? []), index]);
        else decisions.push(this.#decisionOf(open[index] as Item, each, verdict));
      }
      const known: TagFacts[] = [];
      const next: Item[] = [];
      for (const [need, indexes] of waiting) {
        const needing = indexes.map((index) => open[index] as Item);
        next.push(...needing);
        const before = indexes.map((index) => facts[index] as TagFacts);
        known.push(...(await this.#lookUp(need, needing, before)));
      }
      [open, facts] = [next, known];
    }
    return decisions;
  }

  /** Tags that belong to a manifest that is there stay with it, and go with it; the others go as an untagged manifest does. */
  async #judgeCompanions(items: readonly Item[]): Promise<TagDecision[]> {
    const { registry, name } = this.#sweep;
    const owners = items.map((item) => ownerOf(item) as Digest);
    const find = await getEach(
      registry,
      owners.flatMap((owner) => [manifestKey(name, owner), graveKey(name, owner)]),
    );
    const decisions = items.map(async (item, index) => {
      const owner = owners[index] as Digest;
      const facts = this.#factsOf(item);
      const isThere = find(manifestKey(name, owner)) !== undefined;
      const reason = isThere ? `it belongs to ${owner}` : this.#rules.stands(facts);
      if (reason !== undefined) return this.#decisionOf(item, facts, { keeps: true, reason }, { owner });
      const lost = find(graveKey(name, owner))?.['deletedAt'] as number | undefined;
      const left = item.attributes['left'] as number | undefined;
      const since = Math.max(facts.taggedAt, facts.restoredAt ?? 0, lost ?? 0, left ?? 0);
      const manifest = { digest: facts.digest, found: item.attributes, since };
      const verdict = await this.#run.judgeUntagged(manifest);
      const told = verdict.keeps
        ? 'its time is not over, though what it belongs to is not there'
        : 'what it belonged to is gone';
      return this.#decisionOf(item, facts, { ...verdict, reason: told }, { owner, since });
    });
    return Promise.all(decisions);
  }

  #factsOf(item: Item): TagFacts {
    const digest = item.attributes['digest'] as Digest;
    const isHeld = this.#run.holds.isHeld(digest);
    return { tag: tagIn(item), digest, ...tagTimesOf(item.attributes), ...(isHeld && { isHeld }) };
  }

  async #lookUp(need: Need, items: readonly Item[], facts: readonly TagFacts[]): Promise<TagFacts[]> {
    const found = await this.#find(need, items);
    return facts.map((each, index) => ({ ...each, ...found[index] }));
  }

  async #find(need: Need, items: readonly Item[]): Promise<readonly Partial<TagFacts>[]> {
    const { registry, name } = this.#sweep;
    const subjects = items.map((item) => ({
      tag: tagIn(item),
      digest: item.attributes['digest'] as Digest,
      found: item.attributes,
    }));
    if (need === 'pulls') {
      return (await pullsOf(this.#sweep, subjects)).map((pulledAt) => ({ pulledAt }));
    }
    if (need === 'image') {
      return Promise.all(subjects.map(async (each) => ({ image: await imageFacts(this.#sweep, each) })));
    }
    return siblingsOf(registry, name, subjects);
  }

  #decisionOf(
    item: Item,
    facts: TagFacts,
    verdict: Exclude<Verdict, { readonly needs: Need }>,
    { owner, since }: { readonly owner?: Digest; readonly since?: number } = {},
  ): TagDecision {
    const { tag, digest, taggedAt, pulledAt } = facts;
    const { keeps, byImage, ...why } = { byImage: false, ...verdict };
    const age = this.#sweep.registry.now() - (since ?? taggedAt);
    const finding: Finding = {
      ...{ action: keeps ? 'keep' : 'delete', kind: 'tag', tag, digest, ...why },
      size: item.attributes['size'] as number,
      ageMs: Math.max(0, age),
      ...(typeof pulledAt === 'number' && { lastPulledAt: pulledAt }),
    };
    const retires = byImage && { retires: true };
    return {
      tag,
      found: item.attributes,
      owner,
      finding,
      ...retires,
      ...(since !== undefined && { left: since }),
    };
  }
}

/** Each manifest is asked once, however many of the tags are on it. */
async function siblingsOf(
  registry: Registry,
  name: RepositoryName,
  subjects: readonly { readonly tag: Tag; readonly digest: Digest }[],
): Promise<readonly Partial<TagFacts>[]> {
  const digests = [...new Set(subjects.map(({ digest }) => digest))];
  const asked = digests.map(async (digest) => {
    const { tags, isCut } = await allTagsOn(registry, name, digest);
    const all = tags.map(({ tag, found }) => ({ tag, ...tagTimesOf(found) }));
    return [digest, { all, isCut }] as const;
  });
  const found = new Map(await Promise.all(asked));
  return subjects.map(({ tag, digest }) => {
    const { all = [], isCut = false } = found.get(digest) ?? {};
    return { siblings: all.filter((each) => each.tag !== tag), ...(isCut && { hasMore: true }) };
  });
}

const isGoing = ({ finding }: TagDecision) => finding.action === 'delete';

const ownerOf = (item: Item) => ownerByName(tagIn(item), item.attributes['digest'] as Digest);

/** Seven operations a tag, of 100 in a transaction. */
const TAGS_AT_ONCE = 14;

/** Takes the tags off on condition that each is the one that was read, that what it belonged to has not come back, and that nobody
 *  has held its manifest since. Tells of those that went. */
export async function removeTagsOf(sweep: Sweep, going: readonly TagDecision[], holds: Holds): Promise<void> {
  const { registry, dryRun, report } = sweep;
  for (let start = 0; start < going.length; start += TAGS_AT_ONCE) {
    const batch = going.slice(start, start + TAGS_AT_ONCE);
    const together = dryRun || (await registry.table.write(removal(sweep, batch, holds))).committed;
    for (const decision of batch) {
      const isGone = together || (await registry.table.write(removal(sweep, [decision], holds))).committed;
      if (isGone) report?.(decision.finding);
    }
  }
}

function removal({ registry, name, record }: Sweep, tags: readonly TagDecision[], holds: Holds): Operation[] {
  const held = new Set(tags.map(({ finding }) => finding.digest));
  const owners = new Set(tags.flatMap(({ owner }) => owner ?? []));
  const checks = [
    ...[...held].map((digest) => ({
      check: retentionHoldKey(name, digest),
      when: [holds.conditionOf(digest)],
    })),
    ...[...owners].map((owner) => ({ check: manifestKey(name, owner), when: [absent] })),
  ];
  const removed = tags.map(({ tag, found, finding, retires, left = registry.now() }) => {
    return { tag, found, left, retires, by: retentionActor(finding.policy) };
  });
  const records = tags.flatMap(({ finding }) => record?.(name, finding) ?? []);
  return [...removeTags(registry, name, removed, isSameTag), ...checks, ...records];
}
