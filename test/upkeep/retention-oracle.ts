import { createHash } from 'node:crypto';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import type { Policy } from '../../functions/registry/policies.ts';
import type { TagRule } from '../../functions/registry/retention-policy.ts';
import { DAY, type Made } from './retention-life.ts';

// A plain reading of docs/retention.md: a book of what happened when, and what stays by it. Over all pairs of things, until
// nothing changes, without any index; it shares nothing with the code but the policies.

interface Manifest {
  readonly made: Made;
  isThere: boolean;
  pushedAt: number;
  /** The latest of all that starts its time anew. */
  since: number;
  restoredAt: number;
  /** The epoch in which somebody pushed it, or something that lists it, or held it. */
  touched: number;
  pulledAt: number;
  heldUntil: number;
  /** When it was deleted last. */
  deletedAt: number;
}

interface OnTag {
  digest: Digest;
  taggedAt: number;
  restoredAt: number;
}

export class Book {
  readonly #manifests: ReadonlyMap<Digest, Manifest>;
  readonly #tags = new Map<Tag, OnTag>();
  readonly #pulls = new Map<Tag, number>();
  /** When a tag was put on a manifest, when it last was there. */
  readonly #was = new Map<string, number>();
  readonly #policies: readonly Policy[];
  epoch = 0;

  constructor(manifests: readonly Made[], policies: readonly Policy[]) {
    this.#policies = policies;
    const none = { pushedAt: 0, since: 0, restoredAt: -1e15, touched: -9, pulledAt: -1e15 };
    this.#manifests = new Map(
      manifests.map((made) => [made.digest, { made, isThere: false, ...none, heldUntil: 0, deletedAt: 0 }]),
    );
  }

  get tags(): ReadonlyMap<Tag, Digest> {
    return new Map([...this.#tags].map(([tag, { digest }]) => [tag, digest]));
  }

  get manifests(): readonly Digest[] {
    return this.#there().map(({ made }) => made.digest);
  }

  push(digest: Digest, tags: readonly Tag[], now: number): void {
    const manifest = this.#of(digest);
    if (!manifest.isThere) Object.assign(manifest, { pushedAt: now, restoredAt: -1e15 });
    manifest.isThere = true;
    this.#use(manifest, now);
    for (const tag of tags) this.#put(tag, digest, { taggedAt: now, restoredAt: -1e15 }, now);
  }

  /** Somebody pushes it, or tries to. */
  askedFor(digest: Digest): void {
    for (const child of this.#of(digest).made.children) this.#of(child).touched = this.epoch;
  }

  restore(digest: Digest, now: number): void {
    const manifest = this.#of(digest);
    manifest.isThere = true;
    manifest.restoredAt = now;
    this.#use(manifest, now);
  }

  restoreTag(tag: Tag, digest: Digest, now: number): void {
    this.#use(this.#of(digest), now);
    this.#put(tag, digest, { taggedAt: this.#was.get(`${tag} ${digest}`) ?? now, restoredAt: now }, now);
  }

  untag(tag: Tag, now: number): void {
    const on = this.#tags.get(tag);
    if (on) this.#leave(tag, on, now);
    this.#tags.delete(tag);
  }

  remove(digest: Digest, now: number): void {
    const manifest = this.#of(digest);
    const belongings = this.#there().filter((other) => this.#owners(other).includes(digest));
    for (const belonging of belongings) belonging.since = Math.max(belonging.since, now);
    for (const [tag, on] of [...this.#tags]) if (on.digest === digest) this.untag(tag, now);
    Object.assign(manifest, { isThere: false, deletedAt: now });
  }

  /** Pulls are written down once a day. */
  pull(what: Tag | Digest, now: number): void {
    const manifest = this.#manifests.get(what as Digest);
    if (manifest) {
      if (now - manifest.pulledAt >= DAY) manifest.pulledAt = now;
    } else if (now - (this.#pulls.get(what as Tag) ?? -1e15) >= DAY) this.#pulls.set(what as Tag, now);
  }

  hold(digest: Digest, until: number): void {
    this.#of(digest).heldUntil = until;
    this.#of(digest).touched = this.epoch;
  }

  release(digest: Digest): void {
    this.#of(digest).heldUntil = 0;
  }

  /** What goes by the policies at this moment; they go. */
  retain(now: number): { readonly tags: readonly Tag[]; readonly manifests: readonly Digest[] } {
    const tags = this.#retainTags(now);
    const roots = this.#there().filter((manifest) => this.#goesByItself(manifest, now));
    const going = new Set(roots.map(({ made }) => made.digest));
    for (let before = -1; before !== going.size; ) {
      before = going.size;
      for (const manifest of this.#there())
        if (this.#goesWith(manifest, going, now)) going.add(manifest.made.digest);
    }
    for (const [tag, on] of [...this.#tags]) {
      const owner = this.#ownerOf(tag, on.digest);
      if (!owner || !going.has(owner) || this.#stands(tag, on, now)) continue;
      tags.push(tag);
      this.untag(tag, now);
    }
    for (const digest of going) this.remove(digest, now);
    return { tags, manifests: [...going] };
  }

  #retainTags(now: number): Tag[] {
    const gone: Tag[] = [];
    const going = [...this.#tags].filter(([tag, on]) => !this.#tagStays(tag, on, now));
    for (const [tag, on] of going) {
      gone.push(tag);
      const owner = this.#ownerOf(tag, on.digest);
      this.#leave(tag, on, owner ? this.#companionSince(tag, on) : now);
      this.#tags.delete(tag);
    }
    return gone;
  }

  #tagStays(tag: Tag, on: OnTag, now: number): boolean {
    const owner = this.#ownerOf(tag, on.digest);
    if (owner && this.#manifests.get(owner)?.isThere) return true;
    if (this.#stands(tag, on, now)) return true;
    if (owner) return now - this.#companionSince(tag, on) < this.#limit();
    const rules = this.#policies.flatMap(({ retention }) => retention?.tags ?? []);
    const matching = rules.filter((rule) => matches(rule.match, tag));
    return matching.length === 0 || matching.some((rule) => this.#ruleKeeps(rule, [tag, on], now));
  }

  #ruleKeeps(rule: TagRule, [tag, on]: readonly [Tag, OnTag], now: number): boolean {
    const { keepLast = 0, keepNewerThanDays = 0, keepPulledWithinDays } = rule;
    const ahead = [...this.#tags].filter(
      ([other, at]) =>
        matches(rule.match, other) &&
        this.#ownerOf(other, at.digest) === undefined &&
        !this.#stands(other, at, now) &&
        (at.taggedAt > on.taggedAt || (at.taggedAt === on.taggedAt && nameInOrder(other) > nameInOrder(tag))),
    );
    if (ahead.length < keepLast || now - on.taggedAt < keepNewerThanDays * DAY) return true;
    if (keepPulledWithinDays === undefined) return false;
    if (now - on.taggedAt < keepPulledWithinDays * DAY) return true;
    return now - this.#pulledAt(tag, on) < (keepPulledWithinDays + 1) * DAY;
  }

  /** Of the tag, of others on its manifest since they are there, of the manifest, and of all it lists. */
  #pulledAt(tag: Tag, on: OnTag): number {
    const siblings = [...this.#tags].filter(([, at]) => at.digest === on.digest);
    const byTag = siblings.map(([other, at]) => {
      const pulled = this.#pulls.get(other) ?? -1e15;
      return other === tag || pulled >= at.taggedAt - DAY ? pulled : -1e15;
    });
    return Math.max(...byTag, this.#pulledBelow(this.#of(on.digest)));
  }

  #pulledBelow({ made, pulledAt }: Manifest): number {
    const below = made.children.map((child) => this.#pulledBelow(this.#of(child)));
    return Math.max(pulledAt, ...below);
  }

  #goesByItself(manifest: Manifest, now: number): boolean {
    if (this.#isProtected(manifest, now) || this.#owners(manifest).length > 0) return false;
    if ([...this.#tags.values()].some(({ digest }) => digest === manifest.made.digest)) return false;
    return now - Math.max(manifest.since, this.#pulledBelow(manifest)) >= this.#limit();
  }

  #goesWith(manifest: Manifest, going: ReadonlySet<Digest>, now: number): boolean {
    const { digest } = manifest.made;
    const owners = this.#owners(manifest);
    if (going.has(digest) || owners.length === 0 || this.#isProtected(manifest, now)) return false;
    const isFree = ([tag, on]: readonly [Tag, OnTag]) => {
      const owner = this.#ownerOf(tag, digest);
      return on.digest !== digest || (owner !== undefined && going.has(owner) && !this.#stands(tag, on, now));
    };
    return owners.every((owner) => going.has(owner)) && [...this.#tags].every(isFree);
  }

  /** Of the last two epochs, restored within a week, or held. */
  #isProtected({ touched, restoredAt, heldUntil }: Manifest, now: number): boolean {
    return touched > this.epoch - 2 || now - restoredAt < 7 * DAY || heldUntil > now;
  }

  #stands(tag: Tag, { digest, restoredAt }: OnTag, now: number): boolean {
    const pins = this.#policies.flatMap(({ retention }) => retention?.pins ?? []);
    return matches(pins, tag) || now - restoredAt < 7 * DAY || this.#of(digest).heldUntil > now;
  }

  #companionSince(tag: Tag, on: OnTag): number {
    const owner = this.#ownerOf(tag, on.digest);
    const lost = owner === undefined ? 0 : (this.#manifests.get(owner)?.deletedAt ?? 0);
    return Math.max(on.taggedAt, on.restoredAt, lost);
  }

  /** What is there and what the manifest belongs to. */
  #owners({ made: { digest, subject } }: Manifest): Digest[] {
    const named = [...this.#tags].flatMap(([tag, on]) =>
      on.digest === digest ? (this.#ownerOf(tag, digest) ?? []) : [],
    );
    const indexes = this.#there().filter(({ made }) => made.children.includes(digest));
    const all = [...named, ...indexes.map(({ made }) => made.digest), ...(subject ? [subject] : [])];
    return all.filter((owner) => owner !== digest && this.#manifests.get(owner)?.isThere);
  }

  #ownerOf(tag: Tag, on: Digest): Digest | undefined {
    const [, hex] = /^sha256-([0-9a-f]{64})(\.sig|\.att|\.sbom)?$/.exec(tag) ?? [];
    return hex === undefined || `sha256:${hex}` === on ? undefined : (`sha256:${hex}` as Digest);
  }

  #limit(): number {
    const days = this.#policies.flatMap(({ retention }) => retention?.untaggedAfterDays ?? []);
    return days.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...days) * DAY;
  }

  #put(tag: Tag, digest: Digest, times: Omit<OnTag, 'digest'>, now: number): void {
    const before = this.#tags.get(tag);
    if (before && before.digest !== digest) this.#leave(tag, before, now);
    this.#tags.set(tag, { digest, ...times });
  }

  #leave(tag: Tag, on: OnTag, at: number): void {
    this.#was.set(`${tag} ${on.digest}`, on.taggedAt);
    const manifest = this.#of(on.digest);
    manifest.since = Math.max(manifest.since, at);
  }

  #use(manifest: Manifest, now: number): void {
    manifest.since = now;
    manifest.touched = this.epoch;
    this.askedFor(manifest.made.digest);
  }

  #there(): Manifest[] {
    return [...this.#manifests.values()].filter(({ isThere }) => isThere);
  }

  #of(digest: Digest): Manifest {
    return this.#manifests.get(digest) as Manifest;
  }
}

/** Of a long name the beginning counts, then a hash. */
const nameInOrder = (name: string) =>
  name.length <= 20
    ? name
    : `${name.slice(0, 10)}${createHash('sha256').update(name).digest('hex').slice(0, 10)}`;

const matches = (patterns: readonly string[], text: string) =>
  patterns.some((pattern) =>
    new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(text),
  );
