import { PULL_RECORD_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import { anyMatcherOf } from '../oci/pattern.ts';
import type { Tag } from '../oci/reference.ts';
import type { Policy, TagRule } from '../registry/policies.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Ours: a tag that was restored stays so long whatever the rules say, and takes no place of others meanwhile. */
export const RESTORE_HELD_DAYS = 7;

/** What the rules are told of a tag. Times are milliseconds since 1970; what only some rules need is absent until it was
 *  looked up. */
export interface TagFacts {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly taggedAt: number;
  readonly restoredAt?: number;
  readonly isHeld?: boolean;
  /** The last pull of the tag, of its manifest, or of one that this lists. */
  readonly pulledAt?: number | 'never';
  readonly image?: ImageFacts;
  /** All other tags on the same manifest. */
  readonly siblings?: readonly Tag[];
}

export interface ImageFacts {
  /** Of the config; of the first platform of an index. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly mediaType: string;
  /** When it was built, as its config says. */
  readonly createdAt?: number;
  readonly bytes?: number;
}

/** An untagged manifest that belongs to nothing. */
export interface UntaggedFacts {
  readonly digest: Digest;
  /** The latest of its push, the loss of its last tag, and its last pull. */
  readonly since: number;
  readonly image?: ImageFacts;
}

/** What has to be looked up before a verdict. */
export type Need = 'pulls' | 'image' | 'siblings';

export type Verdict =
  | { readonly keeps: true; readonly reason: string }
  | {
      readonly keeps: false;
      readonly reason: string;
      readonly policy: string;
      /** Which of the policy's rules, from 0. */
      readonly rule: number;
      /** Its place among the `of` that the rule counts, from 1, where it is known. */
      readonly rank?: number;
      readonly of?: number;
    }
  | { readonly needs: Need };

interface Ranked {
  readonly policy: string;
  readonly index: number;
  readonly rule: TagRule;
  readonly matches: (tag: string) => boolean;
  /** The newest first, no more than the rule keeps; and how many there were. */
  places: [taggedAt: number, tag: string][];
  of: number;
}

/** Decides of each tag and each untagged manifest of a repository, by the policies that cover it. Where `ranks`, all tags are
 *  observed first, over as many runs as it takes: `state` goes on where another left off. */
export class RetentionRules {
  /** Whether tags have to be observed before they are judged. */
  readonly ranks: boolean;
  /** What `observe` must be told. */
  readonly ranksNeed: ReadonlySet<Need> = new Set();
  /** What `judgeUntagged` must be told. */
  readonly untaggedNeeds: ReadonlySet<'image'> = new Set();
  readonly #now: number;
  readonly #rules: readonly Ranked[];
  readonly #pins: readonly { readonly name: string; readonly matches: (tag: string) => boolean }[];
  readonly #untagged: { readonly policy: string; readonly days: number } | undefined;

  constructor(policies: readonly Policy[], now: number, state?: string) {
    this.#now = now;
    this.#pins = policies.map(({ name, retention }) => ({
      name,
      matches: anyMatcherOf(retention?.pins ?? []),
    }));
    this.#rules = policies.flatMap(({ name: policy, retention }) =>
      (retention?.tags ?? []).map((rule, index) => ({
        ...{ policy, index, rule, places: [], of: 0 },
        matches: anyMatcherOf(rule.match),
      })),
    );
    this.#untagged = longestOf(policies);
    this.ranks = this.#rules.some(({ rule }) => rule.keepLast !== undefined);
    if (state !== undefined) this.#goOn(JSON.parse(state) as readonly Pick<Ranked, 'places' | 'of'>[]);
  }

  #goOn(saved: readonly Pick<Ranked, 'places' | 'of'>[]): void {
    for (const [index, ranked] of this.#rules.entries()) Object.assign(ranked, saved[index]);
  }

  /** Counts a tag, in any order, each once. */
  observe(facts: TagFacts): void {
    if (this.stands(facts)) return;
    for (const ranked of this.#rules) {
      if (ranked.rule.keepLast === undefined || !ranked.matches(facts.tag)) continue;
      ranked.of += 1;
      ranked.places.push([this.#put(facts), facts.tag]);
      if (ranked.places.length >= 2 * ranked.rule.keepLast) cut(ranked);
    }
  }

  /** What was observed so far, for another run. */
  state(): string {
    for (const ranked of this.#rules) cut(ranked);
    return JSON.stringify(this.#rules.map(({ places, of }) => ({ places, of })));
  }

  /** A pin keeps, then any clause of any rule; a tag that no rule matches stays. */
  judge(facts: TagFacts): Verdict {
    const stands = this.stands(facts);
    if (stands !== undefined) return keep(stands);
    const matching = this.#rules.filter(({ matches }) => matches(facts.tag));
    const [first] = matching;
    if (!first) return keep('no rule matches it');
    let needs: Need | undefined;
    for (const ranked of matching) {
      const why = this.#whyKept(facts, ranked);
      if (typeof why === 'object') needs ??= why.needs;
      else if (why !== undefined) return keep(`${why} (policy ${ranked.policy})`);
    }
    if (needs) return { needs };
    const names = [...new Set(matching.map(({ policy }) => policy))].join(', ');
    const { policy, index: rule } = first;
    const of = first.rule.keepLast === undefined ? {} : { of: first.of };
    return { keeps: false, reason: `no clause of policy ${names} keeps it`, policy, rule, ...of };
  }

  judgeUntagged({ since }: UntaggedFacts): Verdict {
    if (!this.#untagged) return keep('untagged manifests stay');
    const { policy, days } = this.#untagged;
    if (this.#now - since < days * DAY_MS) return keep(`untagged since ${dayOf(since)}, for ${days} days`);
    return { keeps: false, reason: `untagged for more than ${days} days`, policy, rule: 0 };
  }

  /** Why no rule is asked, and it takes no place. */
  stands({ tag, isHeld, restoredAt }: TagFacts): string | undefined {
    const pin = this.#pins.find(({ matches }) => matches(tag));
    if (pin) return `policy ${pin.name} pins it`;
    if (isHeld) return 'it is held';
    if (restoredAt !== undefined && this.#now - restoredAt < RESTORE_HELD_DAYS * DAY_MS)
      return `restored within ${RESTORE_HELD_DAYS} days`;
    return undefined;
  }

  /** A time that has not come yet is of a clock that was wrong. */
  #put({ taggedAt }: TagFacts): number {
    return Math.min(taggedAt, this.#now);
  }

  #whyKept(facts: TagFacts, { rule, places }: Ranked): string | { readonly needs: Need } | undefined {
    const { keepLast, keepNewerThanDays: newer, keepPulledWithinDays: pulled } = rule;
    const age = this.#now - this.#put(facts);
    if (keepLast !== undefined) {
      const place: [number, string] = [this.#put(facts), facts.tag];
      const before = places.filter((each) => newestFirst(each, place) < 0).length;
      if (before < keepLast) return `among the last ${keepLast}`;
    }
    if (newer !== undefined && age < newer * DAY_MS) return `newer than ${newer} days`;
    if (pulled === undefined) return undefined;
    const within = pulled * DAY_MS + PULL_RECORD_SECONDS * 1000;
    if (age < within) return `put there within ${pulled} days`;
    if (facts.pulledAt === undefined) return { needs: 'pulls' };
    const isPulled = facts.pulledAt !== 'never' && this.#now - facts.pulledAt < within;
    return isPulled ? `pulled within ${pulled} days` : undefined;
  }
}

function longestOf(policies: readonly Policy[]): { policy: string; days: number } | undefined {
  const given = policies.flatMap(({ name: policy, retention }) =>
    retention?.untaggedAfterDays === undefined ? [] : [{ policy, days: retention.untaggedAfterDays }],
  );
  return given.toSorted((a, b) => b.days - a.days)[0];
}

function cut(ranked: Ranked): void {
  ranked.places = ranked.places.toSorted(newestFirst).slice(0, ranked.rule.keepLast);
}

/** Of two of one moment the greater name. */
const newestFirst = ([a, first]: [number, string], [b, second]: [number, string]) =>
  b - a || (first < second ? 1 : first > second ? -1 : 0);

const keep = (reason: string): Verdict => ({ keeps: true, reason });

const dayOf = (milliseconds: number) => new Date(milliseconds).toISOString().slice(0, 10);
