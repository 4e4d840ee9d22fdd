import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import type { Policy } from '../../functions/registry/policies.ts';
import {
  type ImageFacts,
  RetentionRules,
  type TagFacts,
  type UntaggedFacts,
  type Verdict,
} from '../../functions/upkeep/retention-rules.ts';

export const DAY = 24 * 60 * 60 * 1000;
export const NOW = Date.UTC(2026, 10, 1);

/** An image of a repository that a test makes up; one without tags belongs to nothing. */
export interface MadeImage {
  readonly name: string;
  readonly tags: readonly string[];
  /** How long ago it was pushed and tagged. */
  readonly days: number;
  /** Absent for one that never was. */
  readonly pulledDays?: number;
  readonly image?: Partial<ImageFacts>;
}

/** What stays of a repository: its tags, and the images by name that still have a tag or stay without one. Does what the engine
 *  does: observes all, judges each tag with what it asks for, and the others on the image with it, in as many passes as it takes. */
export function runRetention(policies: readonly Policy[], images: readonly MadeImage[]) {
  const world = new World(images);
  let state: string | undefined;
  do {
    const rules = new RetentionRules(policies, NOW, state);
    world.pass(rules);
    state = rules.nextState();
  } while (state !== undefined);
  return world.left();
}

class World {
  readonly #images: Live[];

  constructor(images: readonly MadeImage[]) {
    this.#images = images.map((made) => ({ made, tags: [...made.tags], isGone: false, retired: false }));
  }

  left() {
    const there = this.#images.filter(({ isGone }) => !isGone);
    return {
      tags: there.flatMap(({ tags }) => tags).toSorted(byText),
      images: there.map(({ made }) => made.name).toSorted(byText),
    };
  }

  pass(rules: RetentionRules): void {
    const live = this.#images.filter(({ isGone }) => !isGone);
    for (const { made, tags } of live) {
      if (tags.length === 0) rules.observeUntagged(untaggedOf(made));
      for (const tag of tags) rules.observe(tagOf(made, tags, tag, ['pulls', 'image', 'siblings']));
    }
    for (const image of live) {
      for (const tag of [...image.tags]) this.#judge(rules, image, tag);
      image.isGone = this.#isGone(rules, image);
    }
  }

  /** What has lost its last tag now is untagged since now, and stays. */
  #isGone(rules: RetentionRules, { made, tags, retired }: Live): boolean {
    if (tags.length > 0 || (made.tags.length > 0 && !retired)) return false;
    return goes(judgedUntagged(rules, { ...untaggedOf(made), ...(retired && { retiredAt: NOW }) }));
  }

  #judge(rules: RetentionRules, image: Live, tag: string): void {
    const { made, tags } = image;
    if (!tags.includes(tag)) return;
    const [verdict, needs] = judged(rules, { made, on: tags, tag });
    if (!('keeps' in verdict) || verdict.keeps) return;
    const together = needs.has('siblings') ? tags : [tag];
    const going = together.filter((each) => goes(judged(rules, { made, on: tags, tag: each }, needs)[0]));
    image.retired ||= verdict.byImage === true;
    image.tags = tags.filter((each) => !going.includes(each));
  }
}

interface Live {
  readonly made: MadeImage;
  tags: string[];
  isGone: boolean;
  retired: boolean;
}

const byText = (a: string, b: string) => (a < b ? -1 : 1);

const goes = (verdict: Verdict) => 'keeps' in verdict && !verdict.keeps;

export const digestNamed = (name: string): Digest => digestOf('sha256', Buffer.from(name));

function tagOf(made: MadeImage, on: readonly string[], tag: string, needs: Iterable<string>): TagFacts {
  const known = new Set(needs);
  const of = (each: string) => ({ tag: each as Tag, taggedAt: NOW - made.days * DAY });
  const pulledAt = made.pulledDays === undefined ? 'never' : NOW - made.pulledDays * DAY;
  return {
    ...of(tag),
    digest: digestNamed(made.name),
    ...(known.has('pulls') && { pulledAt }),
    ...(known.has('image') && { image: imageOf(made) }),
    ...(known.has('siblings') && { siblings: on.filter((each) => each !== tag).map(of) }),
  };
}

const imageOf = ({ image }: MadeImage): ImageFacts => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  ...image,
});

const untaggedOf = (made: MadeImage): UntaggedFacts => ({
  digest: digestNamed(made.name),
  since: NOW - Math.min(made.days, made.pulledDays ?? made.days) * DAY,
  image: imageOf(made),
});

interface Asked {
  readonly made: MadeImage;
  readonly on: readonly string[];
  readonly tag: string;
}

function judged(
  rules: RetentionRules,
  { made, on, tag }: Asked,
  asked: ReadonlySet<string> = new Set(),
): readonly [Verdict, ReadonlySet<string>] {
  const needs = new Set(asked);
  for (;;) {
    const verdict = rules.judge(tagOf(made, on, tag, needs));
    if (!('needs' in verdict)) return [verdict, needs];
    if (needs.has(verdict.needs)) throw new Error(`${tag} is asked for its ${verdict.needs} twice`);
    needs.add(verdict.needs);
  }
}

function judgedUntagged(rules: RetentionRules, facts: UntaggedFacts): Verdict {
  const { image: _, ...without } = facts;
  const verdict = rules.judgeUntagged(without);
  return 'needs' in verdict ? rules.judgeUntagged(facts) : verdict;
}
