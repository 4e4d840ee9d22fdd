import fc from 'fast-check';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { companionTagsOf } from '../../functions/registry/companions.ts';
import type { Policy, Retention } from '../../functions/registry/policies.ts';

// Repositories that live for some weeks: what they hold, what is done to them, and the policies. Small, so that everything
// happens to everything.

export const DAY = 24 * 60 * 60 * 1000;
export const INDEX = 'application/vnd.oci.image.index.v1+json';

/** A manifest that may be pushed. References lead to those before it. */
export interface Made {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly children: readonly Digest[];
  readonly subject: Digest | undefined;
}

export type Step =
  | { readonly do: 'push'; readonly manifest: number; readonly tags: readonly number[] }
  | { readonly do: 'delete'; readonly manifest: number }
  | { readonly do: 'untag'; readonly tag: number }
  | { readonly do: 'restore'; readonly tag?: number; readonly manifest?: number }
  | { readonly do: 'pull'; readonly tag?: number; readonly manifest?: number }
  | { readonly do: 'hold'; readonly manifest: number; readonly days: number }
  | { readonly do: 'release'; readonly manifest: number }
  /** Days go by, and the repository is swept. */
  | { readonly do: 'run'; readonly days: number };

export interface Life {
  readonly manifests: readonly Made[];
  readonly tags: readonly Tag[];
  readonly steps: readonly Step[];
  readonly policies: readonly Policy[];
}

const SIZE = 6;
const TAGS = ['v1', 'v2', 'v3', 'main', 'pr-1'] as Tag[];

interface Shape {
  readonly children: readonly number[];
  readonly subject: number | undefined;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  children: fc.uniqueArray(fc.nat(SIZE - 1), { maxLength: 2 }),
  subject: fc.option(fc.nat(SIZE - 1), { nil: undefined, freq: 3 }),
});

function madeOf(shapes: readonly Shape[]): Made[] {
  const made: Made[] = [];
  for (const [index, { children, subject }] of shapes.entries()) {
    const listed = children.flatMap((child) => made[child] ?? []);
    const of = subject === undefined ? undefined : made[subject];
    const describe = ({ digest, bytes }: Made) => ({ mediaType: INDEX, digest, size: bytes.length });
    const json = {
      ...{ schemaVersion: 2, mediaType: INDEX, manifests: listed.map(describe) },
      ...(of && { subject: describe(of) }),
      annotations: { index: `${index}` },
    };
    const bytes = new TextEncoder().encode(JSON.stringify(json));
    const digest = digestOf('sha256', bytes);
    made.push({ digest, bytes, children: listed.map((child) => child.digest), subject: of?.digest });
  }
  return made;
}

const manifest = fc.nat(SIZE - 1);
/** Five ordinary tags, and two that are named after each manifest. */
const tag = fc.nat(TAGS.length + 2 * SIZE - 1);
const ordinary = fc.nat(TAGS.length - 1);
const tagMostly = fc.oneof({ arbitrary: ordinary, weight: 3 }, { arbitrary: tag, weight: 2 });
const days = fc.integer({ min: 1, max: 9 });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      manifest,
      tags: fc.uniqueArray(tagMostly, { maxLength: 2 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('run' as const), days }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), manifest }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('untag' as const), tag: tagMostly }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restore' as const), tag: tagMostly }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), manifest }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pull' as const), tag: tagMostly }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pull' as const), manifest }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hold' as const), manifest, days }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), manifest }) },
);

const rule = fc.record(
  {
    match: fc.subarray(['v*', 'pr-*', '*', 'main', '*1'], { minLength: 1 }),
    keepLast: fc.integer({ min: 1, max: 2 }),
    keepNewerThanDays: days,
    keepPulledWithinDays: days,
  },
  { requiredKeys: ['match'] },
);

const retention: fc.Arbitrary<Retention> = fc.record(
  {
    pins: fc.subarray(['main', 'v2', '*.sig'], { maxLength: 1 }),
    tags: fc.array(rule, { maxLength: 2 }),
    untaggedAfterDays: days,
  },
  { requiredKeys: [] },
);

/** Then nobody comes any more, and it goes to rest. */
const IDLE: readonly Step[] = [1, 1, 1, 9].map((days) => ({ do: 'run', days }));

export const lives: fc.Arbitrary<Life> = fc
  .record({
    shapes: fc.array(shape, { minLength: SIZE, maxLength: SIZE }),
    steps: fc.array(step, { minLength: 10, maxLength: 28 }),
    policies: fc.array(retention, { minLength: 1, maxLength: 2 }),
  })
  .map(({ shapes, steps, policies }) => {
    const manifests = madeOf(shapes);
    const named = manifests.flatMap(({ digest }) => companionTagsOf(digest).slice(0, 2));
    return {
      manifests,
      tags: [...TAGS, ...named],
      steps: [...steps, ...IDLE],
      policies: policies.map((one, index) => ({ name: `p${index}`, repositories: ['*'], retention: one })),
    };
  });
