import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import type { Policy, Retention } from '../../functions/registry/policies.ts';
import type { Graph, ManifestNode, TagNode } from '../../functions/upkeep/retention-graph.ts';
import { type Plan, planRetention } from '../../functions/upkeep/retention-plan.ts';

// Plans of generated repositories, held against a plain reading of docs/retention.md: by repetition until nothing
// changes, over all
// pairs of things, without any index. Small worlds, so that everything happens to everything.

const DAY = 24 * 60 * 60 * 1000;
const NOW = 1000 * DAY;
const HORIZON = 5;
const SIZE = 9;

const digestAt = (index: number) => `sha256:${`${index}`.padStart(64, '0')}` as Digest;
const ago = fc.integer({ min: 0, max: 12 }).map((days) => NOW - days * DAY);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

interface Made {
  readonly subject: number | undefined;
  readonly children: readonly number[];
  readonly pushedAt: number;
  readonly untaggedAt: number | undefined;
  readonly touched: number;
}

const made: fc.Arbitrary<Made> = fc.record({
  subject: maybe(fc.nat(SIZE + 1)),
  children: fc.uniqueArray(fc.nat(SIZE - 1), { maxLength: 3 }),
  pushedAt: ago,
  untaggedAt: maybe(ago),
  touched: fc.constantFrom(0, 0, 0, HORIZON, HORIZON + 1),
});

const tagName = fc.oneof(
  fc.constantFrom('v1', 'v2', 'v3', 'main', 'pr-1', 'pr-2', 'old'),
  fc
    .tuple(fc.nat(SIZE), fc.constantFrom('', '.sig', '.att'))
    .map(([of, end]) => `${digestAt(of).replace(':', '-')}${end}`),
);

const days = fc.integer({ min: 1, max: 10 });
const rule = fc.record(
  {
    match: fc.subarray(['v*', 'pr-*', '*', 'main', '*1'], { minLength: 1 }),
    keepLast: fc.integer({ min: 1, max: 3 }),
    keepNewerThanDays: days,
    keepPulledWithinDays: days,
  },
  { requiredKeys: ['match'] },
);
const retention: fc.Arbitrary<Retention> = fc.record(
  {
    pins: fc.subarray(['main', 'v2', '*3']),
    tags: fc.array(rule, { maxLength: 3 }),
    untaggedAfterDays: days,
  },
  { requiredKeys: [] },
);
const policies: fc.Arbitrary<readonly Policy[]> = fc
  .array(retention, { minLength: 1, maxLength: 2 })
  .map((each) => each.map((one, index) => ({ name: `p${index}`, repositories: ['*'], retention: one })));

const graph: fc.Arbitrary<Graph> = fc
  .record({
    nodes: fc.array(made, { minLength: 1, maxLength: SIZE }),
    tags: fc.uniqueArray(
      fc.record({ tag: tagName, on: fc.nat(SIZE - 1), taggedAt: ago, pulledAt: maybe(ago) }),
      {
        selector: ({ tag }) => tag,
        maxLength: 8,
      },
    ),
  })
  .map(({ nodes, tags }) => graphOf(nodes, tags));

interface MadeTag {
  readonly tag: string;
  readonly on: number;
  readonly taggedAt: number;
  readonly pulledAt: number | undefined;
}

/** Hashes lead only to what was there before: references go from later manifests to earlier ones. */
function graphOf(nodes: readonly Made[], tags: readonly MadeTag[]): Graph {
  const manifests = new Map<Digest, ManifestNode>();
  const children = new Map<Digest, Digest[]>();
  for (const [index, { subject, children: listed, untaggedAt, ...node }] of nodes.entries()) {
    const digest = digestAt(index);
    const isTagged = tags.some(({ on }) => on === index);
    manifests.set(digest, {
      digest,
      ...node,
      ...(subject !== undefined &&
        subject !== index &&
        (subject < index || subject >= nodes.length) && { subject: digestAt(subject) }),
      ...(untaggedAt !== undefined && !isTagged && { untaggedAt }),
    });
    const earlier = listed.filter((child) => child < index).map(digestAt);
    if (earlier.length > 0) children.set(digest, earlier);
  }
  const there = tags.filter(({ on }) => on < nodes.length);
  return {
    manifests,
    children,
    tags: there.map(({ tag, on, pulledAt, taggedAt }) => ({
      tag: tag as Tag,
      digest: digestAt(on),
      taggedAt,
      ...(pulledAt !== undefined && { pulledAt }),
    })),
  };
}

interface Expected {
  readonly manifests: ReadonlySet<Digest>;
  readonly tags: ReadonlySet<string>;
}

const glob = (pattern: string) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
const belongsTo = ({ tag }: TagNode) => {
  const [, hex] = /^sha256-([0-9a-f]{64})(\.sig|\.att|\.sbom)?$/.exec(tag) ?? [];
  return hex === undefined ? undefined : (`sha256:${hex}` as Digest);
};

/** What stays, by the words of the page and nothing clever. */
function oracle(graph: Graph, given: readonly Policy[]): Expected {
  const { tags, manifests } = graph;
  const all = [...manifests.values()];
  const owns = ownership(graph);
  const limits = given.flatMap((policy) => policy.retention?.untaggedAfterDays ?? []);
  const limit = limits.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...limits) * DAY;
  const keptTags = tagsKept(graph, given, limit);
  const kept = rootsOf(graph, { owns, limit, keptTags });
  spread(kept, all, owns);
  // Whatever no chain of owners leads to from something that belongs to nothing is in a circle.
  const isOwned = (owned: Digest) => all.some(({ digest }) => owns(digest, owned));
  const reached = new Set([...manifests.keys()].filter((digest) => kept.has(digest) || !isOwned(digest)));
  reachAll(reached, all, owns);
  for (const digest of manifests.keys()) if (!reached.has(digest)) kept.add(digest);
  spread(kept, all, owns);
  for (const node of tags) if (kept.has(belongsTo(node) ?? ('' as Digest))) keptTags.add(node.tag);
  return { manifests: kept, tags: keptTags };
}

const ownership =
  ({ tags, manifests, children }: Graph) =>
  (owner: Digest, owned: Digest): boolean =>
    children.get(owner)?.includes(owned) ||
    manifests.get(owned)?.subject === owner ||
    tags.some((node) => node.digest === owned && owned !== owner && belongsTo(node) === owner);

/** Those that rules and pins keep, and those that belong to what is not there, for a time. */
function tagsKept({ tags, manifests }: Graph, given: readonly Policy[], limit: number): Set<string> {
  const ordinary = tags.filter((node) => belongsTo(node) === undefined);
  const kept = ordinary.filter((node) => rulesKeep(node, ordinary, manifests, given));
  const early = tags.filter((node) => {
    const owner = belongsTo(node);
    return owner !== undefined && !manifests.has(owner) && NOW - node.taggedAt < limit;
  });
  return new Set([...kept, ...early].map(({ tag }) => tag));
}

interface Known {
  readonly owns: (owner: Digest, owned: Digest) => boolean;
  readonly limit: number;
  readonly keptTags: ReadonlySet<string>;
}

function rootsOf({ tags, manifests }: Graph, { owns, limit, keptTags }: Known): Set<Digest> {
  const all = [...manifests.values()];
  const roots = all.filter(({ digest, touched, pushedAt, untaggedAt }) => {
    const on = tags.filter((node) => node.digest === digest);
    const isOwned = all.some((owner) => owns(owner.digest, digest));
    const losesLast = on.some((node) => belongsTo(node) === undefined);
    const lost = losesLast ? NOW : Math.max(pushedAt, untaggedAt ?? 0);
    const isYoung = !isOwned && NOW - lost < limit;
    return touched > HORIZON || isYoung || on.some(({ tag }) => keptTags.has(tag));
  });
  return new Set(roots.map(({ digest }) => digest));
}

function spread(
  kept: Set<Digest>,
  all: readonly ManifestNode[],
  owns: (a: Digest, b: Digest) => boolean,
): void {
  for (let before = -1; before !== kept.size; ) {
    before = kept.size;
    for (const owner of all)
      for (const owned of all)
        if (kept.has(owner.digest) && owns(owner.digest, owned.digest)) kept.add(owned.digest);
  }
}

/** A node is reached where all of its owners are. */
function reachAll(
  reached: Set<Digest>,
  all: readonly ManifestNode[],
  owns: (a: Digest, b: Digest) => boolean,
): void {
  for (let before = -1; before !== reached.size; ) {
    before = reached.size;
    for (const { digest } of all) {
      const owners = all.filter((owner) => owns(owner.digest, digest));
      if (owners.every((owner) => reached.has(owner.digest))) reached.add(digest);
    }
  }
}

function rulesKeep(
  node: TagNode,
  all: readonly TagNode[],
  manifests: Graph['manifests'],
  given: readonly Policy[],
): boolean {
  const pins = given.flatMap((policy) => policy.retention?.pins ?? []);
  if (pins.some((pin) => glob(pin).test(node.tag))) return true;
  const rules = given.flatMap((policy) => policy.retention?.tags ?? []);
  const matching = rules.filter(({ match }) => match.some((pattern) => glob(pattern).test(node.tag)));
  const pulled = Math.max(node.pulledAt ?? 0, manifests.get(node.digest)?.pulledAt ?? 0);
  const keeps = matching.some((each) => {
    const newer = all.filter(
      (other) =>
        each.match.some((pattern) => glob(pattern).test(other.tag)) &&
        (other.taggedAt > node.taggedAt || (other.taggedAt === node.taggedAt && other.tag > node.tag)),
    );
    return (
      newer.length < (each.keepLast ?? 0) ||
      NOW - node.taggedAt < (each.keepNewerThanDays ?? 0) * DAY ||
      (each.keepPulledWithinDays !== undefined && NOW - pulled < (each.keepPulledWithinDays + 1) * DAY)
    );
  });
  return matching.length === 0 || keeps;
}

const options = { numRuns: Number(process.env['RETENTION_RUNS'] ?? 5000) };

function planOf(world: Graph, given: readonly Policy[]): Plan {
  const epochs = { horizon: HORIZON, epochAt: NOW, epochMs: DAY };
  const steps = planRetention(world, { policies: given, now: NOW, epochs });
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

describe('the plan of a generated repository', () => {
  it('keeps and deletes what a plain reading of the rules does, and tells why of each', () => {
    fc.assert(
      fc.property(graph, policies, (world, given) => {
        const plan = planOf(world, given);
        const expected = oracle(world, given);
        const kept = plan.manifests.filter(({ action }) => action === 'keep').map(({ digest }) => digest);
        expect(kept.sort()).toEqual([...expected.manifests].sort());
        const keptTags = plan.tags.filter(([, { action }]) => action === 'keep').map(([{ tag }]) => `${tag}`);
        expect(keptTags.sort()).toEqual([...expected.tags].sort());
        expect(plan.manifests.map(({ digest }) => digest).sort()).toEqual([...world.manifests.keys()].sort());
        for (const { reason } of [...plan.manifests, ...plan.tags.map(([, finding]) => finding)]) {
          expect(reason).not.toBe('');
        }
      }),
      options,
    );
  });

  it('leaves no tag without its manifest, and lets nothing go before what it belongs to', () => {
    fc.assert(
      fc.property(graph, policies, (world, given) => {
        expectOrder(planOf(world, given));
      }),
      options,
    );
  });
});

function expectOrder(plan: Plan): void {
  const gone = plan.manifests.filter(({ action }) => action === 'delete').map(({ digest }) => digest);
  const keptTags = plan.tags.filter(([, { action }]) => action === 'keep');
  for (const [{ digest }] of keptTags) expect(gone).not.toContain(digest);
  for (const [position, digest] of gone.entries()) {
    const before = gone.slice(0, position);
    expect(before).toEqual(expect.arrayContaining([...(plan.owners.get(digest) ?? [])]));
  }
}
