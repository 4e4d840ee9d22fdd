import { PULL_RECORD_SECONDS } from '../limits.ts';
import { parseVersion } from '../oci/version.ts';
import type { Policy } from '../registry/policies.ts';
import type { TagRule, UntaggedRule } from '../registry/retention-policy.ts';
import {
  type CompiledRules,
  type CompiledTagRule,
  type CompiledUntaggedRule,
  type Counting,
  compile,
} from './compiled-rules.ts';
import { type Place, type Ranked, Rankings } from './ranking.ts';
import type { Gone, Kept, Need, Sibling, TagFacts, UntaggedFacts, Verdict } from './rule-facts.ts';

export type { ImageFacts, Need, TagFacts, UntaggedFacts, Verdict } from './rule-facts.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Reproducible builds say that they were built in 1970, or in 1980. */
const UNTRUE_BEFORE = Date.UTC(1981);

/** Ours: a tag that was restored stays so long whatever the rules say, and takes no place of others meanwhile. */
export const RESTORE_HELD_DAYS = 7;

/** Decides of each tag and each untagged manifest of a repository, by the policies that cover it. Where `ranks`, all of
 *  them are observed first, over as many runs as it takes: `state` goes on where another left off. Where then there is a
 *  `nextState`, not all could be ranked at once: whatever that was stays, and passes that begin with it look at more. */
export class RetentionRules {
  /** Whether tags have to be observed before they are judged. */
  readonly ranks: boolean;
  /** Whether untagged manifests that belong to nothing have to be observed before anything is judged. */
  readonly ranksUntagged: boolean;
  /** What `observe` must be told, and `observeUntagged` of the image. */
  readonly ranksNeed: ReadonlySet<Need>;
  /** What `judgeUntagged` must be told. */
  readonly untaggedNeeds: ReadonlySet<'image'>;
  readonly #now: number;
  readonly #expect: ((moment: number) => void) | undefined;
  readonly #rules: CompiledRules;
  readonly #rankings: Rankings;

  /** `expect` is told when something that its age keeps could go. */
  constructor(policies: readonly Policy[], now: number, state?: string, expect?: (moment: number) => void) {
    [this.#now, this.#expect] = [now, expect];
    this.#rules = compile(policies);
    this.#rankings = new Rankings(this.#rules.places, state);
    const { tags, untagged } = this.#rules;
    const counting = [...tags, ...untagged].filter(({ counts }) => counts.length > 0);
    this.ranks = counting.some((rule) => isTagRule(rule) || rule.among?.tags);
    this.ranksUntagged = counting.some((rule) => rule.among?.untagged || (!rule.among && !isTagRule(rule)));
    this.ranksNeed = new Set(counting.flatMap(rankNeeds));
    this.untaggedNeeds = new Set(untagged.some(asksForImage) ? ['image'] : []);
  }

  /** Counts a tag, in any order. */
  observe(facts: TagFacts): void {
    const doesStand = this.stands(facts) !== undefined;
    for (const rule of [...this.#rules.tags, ...this.#rules.untagged]) {
      const isOwn = isTagRule(rule) && !doesStand && this.#applies(rule, facts);
      const isCounted = rule.among ? rule.among.tags?.(facts.tag) : isOwn;
      const group = isTagRule(rule) ? rule.groupOf(facts.tag) : '';
      if (!isCounted || group === undefined) continue;
      for (const counting of rule.counts) this.#count(this.#ranked(counting, rule, group, facts));
    }
  }

  /** Counts an untagged manifest that belongs to nothing. */
  observeUntagged(facts: UntaggedFacts): void {
    for (const rule of [...this.#rules.tags, ...this.#rules.untagged]) {
      const isOwn = !isTagRule(rule) && !facts.isHeld && isImageOf(rule, facts) === true;
      if (!(rule.among ? rule.among.untagged : isOwn)) continue;
      for (const { ranking } of rule.counts) this.#count(this.#untagged(ranking, facts));
    }
  }

  #count({ ranking, ...what }: Wanted): void {
    if (ranking !== undefined) this.#rankings.add({ ranking, ...what });
  }

  /** `undefined` where this pass cannot tell. */
  #placeOf({ ranking, ...what }: Wanted): Place | undefined {
    return ranking === undefined ? undefined : this.#rankings.placeOf({ ranking, ...what });
  }

  /** What was observed so far, at most 200 KB. */
  state(): string {
    return this.#rankings.state();
  }

  nextState(): string | undefined {
    return this.#rankings.next();
  }

  /** A pin keeps, then any clause of any rule that matches; a tag that no rule matches stays. */
  judge(facts: TagFacts): Verdict {
    const why = this.stands(facts);
    if (why !== undefined) return keep(why);
    const verdicts = this.#rules.tags.map((rule) => this.#verdictOf(rule, facts));
    return summed(verdicts) ?? keep('no rule matches it');
  }

  judgeUntagged(facts: UntaggedFacts): Verdict {
    if (facts.isHeld) return keep('it is held');
    const byImage = this.#rules.tags.find((rule) => rule.byImage);
    if (byImage && facts.retiredAt !== undefined && facts.since <= facts.retiredAt)
      return { ...goneBy(byImage, undefined), reason: 'it goes with its last tag' };
    const verdicts = this.#rules.untagged.map((rule) => this.#untaggedVerdictOf(rule, facts));
    return summed(verdicts) ?? keep('untagged manifests stay');
  }

  #untaggedVerdictOf(rule: CompiledUntaggedRule, facts: UntaggedFacts): Verdict | undefined {
    const isImage = isImageOf(rule, facts);
    if (isImage !== true) return isImage === 'unknown' ? { needs: 'image' } : undefined;
    return verdictBy(rule, this.#whyUntaggedStays(rule, facts));
  }

  /** Why no rule is asked, and it takes no place. */
  stands({ tag, isHeld, restoredAt }: Sibling & { readonly isHeld?: boolean }): string | undefined {
    const pin = this.#rules.pins.find(({ matches }) => matches(tag));
    if (pin) return `policy ${pin.policy} pins it`;
    if (isHeld) return 'it is held';
    const isBack = restoredAt !== undefined && this.#isWithin(RESTORE_HELD_DAYS * DAY_MS, restoredAt);
    return isBack ? `restored within ${RESTORE_HELD_DAYS} days` : undefined;
  }

  /** Whether the rule is about the tag, or about the image by this tag or a sibling. */
  #applies(rule: CompiledTagRule, facts: TagFacts): boolean {
    return namesOf(rule, facts).length > 0 && isImageOf(rule, facts) === true;
  }

  /** `undefined` where the rule does not match. */
  #verdictOf(rule: CompiledTagRule, facts: TagFacts): Verdict | undefined {
    if (!rule.byImage || facts.siblings) return this.#verdictByNames(rule, facts);
    // Whoever asks for a tag that the rule is about looks at the others, too; of the tag alone only that it stays is certain.
    if (!rule.matches(facts.tag)) return undefined;
    const isAlone = !rule.hasExcepts && rule.with.length === 0;
    const verdict = isAlone ? this.#verdictByNames(rule, facts) : undefined;
    return verdict && ('needs' in verdict || verdict.keeps) ? verdict : { needs: 'siblings' };
  }

  #verdictByNames(rule: CompiledTagRule, facts: TagFacts): Verdict | undefined {
    const names = namesOf(rule, facts);
    if (names.length === 0) return undefined;
    const isImage = isImageOf(rule, facts);
    if (isImage !== true) return isImage === 'unknown' ? { needs: 'image' } : undefined;
    const pinned = rule.byImage ? facts.siblings?.find((sibling) => this.stands(sibling)) : undefined;
    if (rule.byImage && facts.hasMore) return keep('its image has more tags than are looked at');
    if (pinned) return keep(`tag ${pinned.tag} of its image stays: ${this.stands(pinned)}`);
    return verdictBy(rule, this.#whyStays(rule, facts, names));
  }

  #whyStays(rule: CompiledTagRule, facts: TagFacts, names: readonly Sibling[]): Stays {
    const newest = Math.max(...names.map((name) => this.#past(name.taggedAt)));
    const aged = this.#whyYoung(rule.rule, { since: newest, image: facts.image });
    const pulled = this.#whyPulled(rule.rule, facts, newest);
    const placed = rule.counts.map((counting) => this.#placed(rule, counting, facts, names));
    return firstOf([...placed, aged, pulled]);
  }

  #placed(rule: CompiledTagRule, counting: Counting, facts: TagFacts, names: readonly Sibling[]): Stays {
    if (counting.by === 'pull' && facts.pulledAt === undefined) return { needs: 'pulls' };
    const places = names.map((name) =>
      this.#placeOf(this.#ranked(counting, rule, rule.groupOf(name.tag) ?? '', { ...facts, ...name })),
    );
    return whyPlaced(rule.rule, counting, places);
  }

  #whyUntaggedStays(rule: CompiledUntaggedRule, facts: UntaggedFacts): Stays {
    const placed = rule.counts.map((counting) =>
      whyPlaced(rule.rule, counting, [this.#placeOf(this.#untagged(counting.ranking, facts))]),
    );
    return firstOf([...placed, this.#whyYoung(rule.rule, facts)]);
  }

  #whyYoung(
    { keepNewerThanDays: newer, keepCreatedWithinDays: created }: TagRule | UntaggedRule,
    { since, image }: { readonly since: number; readonly image?: TagFacts['image'] | undefined },
  ): Stays {
    if (newer !== undefined && this.#isWithin(newer * DAY_MS, this.#past(since)))
      return `newer than ${newer} days`;
    if (created === undefined) return undefined;
    if (!image) return { needs: 'image' };
    const { createdAt } = image;
    const built = createdAt === undefined || createdAt < UNTRUE_BEFORE ? since : createdAt;
    return this.#isWithin(created * DAY_MS, this.#past(built)) ? `built within ${created} days` : undefined;
  }

  #whyPulled({ keepPulledWithinDays: days }: TagRule, { pulledAt }: TagFacts, since: number): Stays {
    if (days === undefined) return undefined;
    if (this.#isWithin(days * DAY_MS, since)) return `put there within ${days} days`;
    if (pulledAt === undefined) return { needs: 'pulls' };
    const isPulled =
      pulledAt !== 'never' && this.#isWithin(days * DAY_MS + PULL_RECORD_SECONDS * 1000, pulledAt);
    return isPulled ? `pulled within ${days} days` : undefined;
  }

  #ranked(
    { ranking, by }: Counting,
    rule: CompiledTagRule | CompiledUntaggedRule,
    group: string,
    facts: TagFacts,
  ) {
    const isByImage = !isTagRule(rule) || rule.byImage;
    const { pulledAt } = facts;
    const since = this.#past(facts.taggedAt);
    const time =
      by === 'pull' && typeof pulledAt === 'number' ? Math.max(since, this.#past(pulledAt)) : since;
    const order = by === 'version' ? (parseVersion(facts.tag)?.order ?? '') : timeOrder(time);
    return { ranking, group, order, id: isByImage ? hexOf(facts.digest) : facts.tag };
  }

  #untagged(ranking: number | undefined, { digest, since }: UntaggedFacts) {
    return { ranking, group: '', order: timeOrder(this.#past(since)), id: hexOf(digest) };
  }

  /** Whether no more than `ms` have gone by since; and when they will have. */
  #isWithin(ms: number, since: number): boolean {
    const isWithin = this.#now - since < ms;
    if (isWithin) this.#expect?.(since + ms);
    return isWithin;
  }

  /** A time that has not come yet is of a clock that was wrong. */
  #past(time: number): number {
    return Math.min(time, this.#now);
  }
}

type Wanted = Omit<Ranked, 'ranking'> & { readonly ranking: number | undefined };

/** Why something stays, or what has to be known for that; or that it does not, with its place where it has one. */
type Stays = string | { readonly needs: Need } | Place | undefined;

function firstOf(whys: readonly Stays[]): Stays {
  const kept = whys.find((why) => typeof why === 'string');
  const needing = whys.find((why) => typeof why === 'object' && 'needs' in why);
  return kept ?? needing ?? whys.find((why) => why !== undefined);
}

function whyPlaced(
  rule: TagRule | UntaggedRule,
  { by, places: count }: Counting,
  places: readonly (Place | undefined)[],
): Stays {
  if (places.includes(undefined)) return 'its rule counts more than one pass can rank';
  const best = places.reduce((a, b) =>
    a && b && (a.rank ?? Number.MAX_VALUE) <= (b.rank ?? Number.MAX_VALUE) ? a : b,
  );
  if (!best?.isAmong) return best;
  const what = { time: 'last', pull: 'last pulled', version: 'highest' }[by];
  const group = 'per' in rule && rule.per !== undefined ? ` per ${rule.per}` : '';
  return `among the ${what} ${count}${group}`;
}

/** Of the tag, or of its image, those that the rule is about. */
function namesOf(rule: CompiledTagRule, facts: TagFacts): readonly Sibling[] {
  const names: readonly Sibling[] = rule.byImage ? [facts, ...(facts.siblings ?? [])] : [facts];
  if (names.some(({ tag }) => rule.excepts(tag))) return [];
  if (!rule.with.every((matches) => names.some(({ tag }) => matches(tag)))) return [];
  return names.filter(({ tag }) => rule.matches(tag) && rule.groupOf(tag) !== undefined);
}

const isTagRule = (rule: CompiledTagRule | CompiledUntaggedRule): rule is CompiledTagRule =>
  'groupOf' in rule;

function isImageOf(
  { isImage }: { readonly isImage: CompiledTagRule['isImage'] },
  { image }: Pick<TagFacts, 'image'>,
): boolean | 'unknown' {
  if (!isImage) return true;
  return image ? isImage(image) : 'unknown';
}

function rankNeeds(rule: CompiledTagRule | CompiledUntaggedRule): Need[] {
  const needs: Need[] = rule.counts.some(({ by }) => by === 'pull') ? ['pulls'] : [];
  if (rule.among) return needs;
  if (rule.isImage) needs.push('image');
  if (isTagRule(rule) && rule.byImage && (rule.hasExcepts || rule.with.length > 0)) needs.push('siblings');
  return needs;
}

const asksForImage = ({ isImage, rule }: CompiledUntaggedRule) =>
  isImage !== undefined || rule.keepCreatedWithinDays !== undefined;

function goneBy(rule: CompiledTagRule | CompiledUntaggedRule, place: Place | undefined): Gone {
  const { policy, index } = rule;
  const rank = place?.rank === undefined ? '' : `, number ${place.rank} of ${place.of}`;
  return {
    ...{ keeps: false, policy, rule: index, reason: `no clause of policy ${policy} keeps it${rank}` },
    ...(place?.rank !== undefined && { rank: place.rank }),
    ...(place && { of: place.of }),
    ...(isTagRule(rule) && rule.byImage && { byImage: true }),
  };
}

function verdictBy(rule: CompiledTagRule | CompiledUntaggedRule, why: Stays): Verdict {
  if (typeof why === 'string') return keep(`${why} (policy ${rule.policy})`);
  return why && 'needs' in why ? why : goneBy(rule, why);
}

/** What one rule keeps, stays; else what is not known yet is looked up. The first rule is named that lets it go, and every
 *  policy; the image goes where one of them says so. */
function summed(verdicts: readonly (Verdict | undefined)[]): Verdict | undefined {
  const given = verdicts.filter((verdict) => verdict !== undefined);
  const decided = given.filter((verdict) => 'keeps' in verdict);
  const kept = decided.find(({ keeps }) => keeps);
  if (kept) return kept;
  const gone = decided.filter((verdict) => !verdict.keeps);
  const needing = given.find((verdict) => 'needs' in verdict);
  if (needing || !gone[0]) return needing;
  const reasons = new Map(
    gone.map(({ policy, reason }) => [policy, reason]).toReversed() as [string, string][],
  );
  const reason = [...reasons.values()].toReversed().join('; ');
  return { ...gone[0], reason, ...(gone.some(({ byImage }) => byImage) && { byImage: true }) };
}

const keep = (reason: string): Kept => ({ keeps: true, reason });
const timeOrder = (time: number) => Math.max(time, 0).toString(36).padStart(9, '0');
const hexOf = (digest: string) => digest.slice(digest.indexOf(':') + 1);
