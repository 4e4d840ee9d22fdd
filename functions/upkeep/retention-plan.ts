import type { Digest } from '../oci/digest.ts';
import type { Steps } from '../registry/in-turns.ts';
import type { Policy } from '../registry/policies.ts';
import type { Finding } from './finding.ts';
import { type Graph, type ManifestNode, ownerByName, type TagNode } from './retention-graph.ts';
import { judgeTags, type TagVerdict } from './retention-tags.ts';
import { type Epochs, mayGoFrom } from './stage.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

export interface PlanOptions {
  /** Those that cover the repository. */
  readonly policies: readonly Policy[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Manifests touched after its horizon may be about to be used. */
  readonly epochs: Epochs;
}

/** What retention makes of a repository: a finding for every tag and every manifest. Those that go come in an order in
 *  which nothing goes before what it belongs to: an index before its children, a manifest before its signatures. */
export interface Plan {
  readonly tags: readonly (readonly [TagNode, Finding])[];
  readonly manifests: readonly Finding[];
  /** What each manifest belongs to: indexes that list it, its subject, the manifest that its tag names. */
  readonly owners: ReadonlyMap<Digest, readonly Digest[]>;
}

/** Decides what stays: roots are tags that stay, untagged manifests whose time is not over, and what somebody may be
 *  about to use; with a root stay its children, its referrers and its signatures, and theirs. All else goes. */
export function* planRetention(graph: Graph, options: PlanOptions): Steps<Plan> {
  return yield* new Planner(graph, options).plan();
}

class Planner {
  readonly #graph: Graph;
  readonly #options: PlanOptions;
  readonly #days: number | undefined;
  /** What belongs to a manifest, and why. */
  readonly #belongings = new Map<Digest, (readonly [Digest, string])[]>();
  readonly #owners = new Map<Digest, Digest[]>();
  readonly #kept = new Map<Digest, string>();
  #verdicts: ReadonlyMap<TagNode, TagVerdict> = new Map();
  /** Tags that belong to a manifest that is there. */
  readonly #companions: ReadonlySet<TagNode>;

  constructor(graph: Graph, options: PlanOptions) {
    this.#graph = graph;
    this.#options = options;
    const given = options.policies.map(({ retention }) => retention?.untaggedAfterDays);
    const days = given.filter((each) => each !== undefined);
    this.#days = days.length > 0 ? Math.max(...days) : undefined;
    const owned = (node: TagNode) => graph.manifests.has(ownerByName(node.tag) ?? ('' as Digest));
    this.#companions = new Set(graph.tags.filter(owned));
  }

  *plan(): Steps<Plan> {
    const graph = this.#graph;
    const ordinary = graph.tags.filter((node) => !this.#companions.has(node) && !ownerByName(node.tag));
    this.#verdicts = yield* judgeTags(ordinary, graph, this.#options.policies, this.#options.now);
    yield* this.#relate();
    for (const node of graph.tags) {
      yield;
      const verdict = this.#verdictOf(node);
      if (verdict?.keeps) this.#keep(node.digest, `tag ${node.tag} is on it`);
    }
    for (const node of graph.manifests.values()) {
      yield;
      const why = this.#whyRoot(node);
      if (why !== undefined) this.#keep(node.digest, why);
    }
    yield* this.#keepCircles();
    const tags: (readonly [TagNode, Finding])[] = [];
    for (const node of graph.tags) {
      tags.push(this.#tagFinding(node));
      yield;
    }
    return { tags, manifests: yield* this.#findings(), owners: this.#owners };
  }

  *#relate(): Steps<void> {
    const { tags, manifests, children } = this.#graph;
    for (const [index, listed] of children) {
      for (const child of listed) this.#own(index, child, 'index');
      yield;
    }
    for (const { digest, subject } of manifests.values()) {
      if (subject && manifests.has(subject)) this.#own(subject, digest, 'subject');
      yield;
    }
    for (const { tag, digest } of tags) {
      const owner = ownerByName(tag);
      if (owner && owner !== digest && manifests.has(owner)) this.#own(owner, digest, 'signed manifest');
      yield;
    }
  }

  #own(owner: Digest, owned: Digest, as: string): void {
    const belongings = this.#belongings.get(owner) ?? [];
    belongings.push([owned, `its ${as} ${owner} stays`]);
    this.#belongings.set(owner, belongings);
    const owners = this.#owners.get(owned) ?? [];
    owners.push(owner);
    this.#owners.set(owned, owners);
  }

  /** `undefined` for a tag that goes with what it belongs to. */
  #verdictOf(node: TagNode): TagVerdict | undefined {
    if (this.#companions.has(node)) return undefined;
    const ordinary = this.#verdicts.get(node);
    if (ordinary) return ordinary;
    // What it belonged to is gone, or has not come yet.
    const keeps = this.#isYoung(node.taggedAt);
    return {
      keeps,
      reason: keeps
        ? 'its time is not over, though what it belongs to is not there'
        : 'what it belonged to is gone',
    };
  }

  #whyRoot(node: ManifestNode): string | undefined {
    const { epochs } = this.#options;
    if (node.touched > epochs.horizon)
      return `somebody may be about to use it: it may go from ${mayGoFrom(epochs, node.touched)} on`;
    if ((this.#owners.get(node.digest) ?? []).length > 0) return undefined;
    const since = this.#untaggedSince(node);
    if (since === undefined || !this.#isYoung(since)) return undefined;
    return this.#days === undefined
      ? 'untagged manifests stay'
      : `untagged since ${day(since)}, for ${this.#days} days`;
  }

  /** `undefined` where it has a tag that stays; now, where its last tag goes with this plan. */
  #untaggedSince({ digest, pushedAt, untaggedAt }: ManifestNode): number | undefined {
    if (this.#tagsOn().has(digest)) return this.#options.now;
    return Math.max(pushedAt, untaggedAt ?? 0);
  }

  #tagged: ReadonlySet<Digest> | undefined;

  /** Manifests with an ordinary tag. */
  #tagsOn(): ReadonlySet<Digest> {
    this.#tagged ??= new Set([...this.#verdicts.keys()].map(({ digest }) => digest));
    return this.#tagged;
  }

  #isYoung(since: number): boolean {
    return this.#days === undefined || this.#options.now - since < this.#days * DAY_MS;
  }

  #keep(root: Digest, reason: string): void {
    const waiting: [Digest, string][] = [[root, reason]];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [digest, why] = next;
      if (this.#kept.has(digest) || !this.#graph.manifests.has(digest)) continue;
      this.#kept.set(digest, why);
      for (const [owned, because] of this.#belongings.get(digest) ?? []) waiting.push([owned, because]);
    }
  }

  /** Names can make two manifests belong to each other; what belongs to nothing else is nobody's to delete. */
  *#keepCircles(): Steps<void> {
    const order = new Set(yield* this.#ownersFirst());
    for (const digest of this.#graph.manifests.keys()) {
      yield;
      if (!this.#kept.has(digest) && !order.has(digest))
        this.#keep(digest, 'it belongs to what belongs to it');
    }
  }

  /** All that goes, each after all of its owners that go, too; what is in a circle is left out. */
  *#ownersFirst(): Steps<Digest[]> {
    const going = [...this.#graph.manifests.keys()].filter((digest) => !this.#kept.has(digest));
    const left = new Map(going.map((digest) => [digest, this.#owners.get(digest)?.length ?? 0]));
    const order = going.filter((digest) => left.get(digest) === 0);
    for (const owner of order) {
      yield;
      for (const [owned] of this.#belongings.get(owner) ?? []) {
        const count = left.get(owned);
        if (count === undefined) continue;
        left.set(owned, count - 1);
        if (count === 1) order.push(owned);
      }
    }
    return order;
  }

  *#findings(): Steps<Finding[]> {
    const findings: Finding[] = [];
    for (const [digest, reason] of this.#kept) {
      findings.push({ action: 'keep', kind: 'manifest', digest, reason });
      yield;
    }
    for (const digest of yield* this.#ownersFirst()) {
      findings.push({ action: 'delete', kind: 'manifest', digest, reason: this.#whyGone(digest) });
      yield;
    }
    return findings;
  }

  #whyGone(digest: Digest): string {
    const owners = this.#owners.get(digest) ?? [];
    if (owners.length > 0) return `what it belongs to goes: ${owners.slice(0, 2).join(', ')}`;
    return this.#tagsOn().has(digest) ? 'its last tag goes' : `untagged for more than ${this.#days} days`;
  }

  #tagFinding(node: TagNode): readonly [TagNode, Finding] {
    const { tag, digest } = node;
    const owner = ownerByName(tag);
    const verdict = this.#verdictOf(node) ?? {
      keeps: owner !== undefined && this.#kept.has(owner),
      reason: `it belongs to ${owner}`,
    };
    const action = verdict.keeps ? 'keep' : 'delete';
    return [node, { action, kind: 'tag', tag, digest, reason: verdict.reason }];
  }
}

const day = (milliseconds: number) => new Date(milliseconds).toISOString().slice(0, 10);
