import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import {
  afterEdgesTo,
  afterManifest,
  afterTagIndexOf,
  edgesOf,
  lastPartOf,
  manifestsOf,
  tagIndexesOf,
} from '../registry/keys.ts';
import type { Item } from '../storage/table.ts';
import { DigestSet } from './digest-set.ts';
import { Burial, type Going } from './retention-burial.ts';
import type { RetentionRun } from './retention-run.ts';
import { type Candidate, Untagged } from './retention-untagged.ts';
import { Side } from './side.ts';
import { sortedPages } from './sorted-pages.ts';
import { isOver } from './stage.ts';

/** Manifests of up to 16 KiB each. */
const MANIFESTS_AT_ONCE = 100;

/** Groups that go at the same time. */
const BURIALS_AT_ONCE = 8;

/** Of those that used a manifest and are gone; more edges than that are of very many pushes that never ended. */
const FORMER_OWNERS = 100;

/** What is read beside the manifests. */
interface Sides {
  readonly edges: Side;
  readonly index: Side;
}

/** Passes the manifests of a repository in the order of their digests, and beside them the edges to them and the entries of the
 *  tag index. One that belongs to something that is there is asked nothing more; what is to be known of the others is
 *  looked up for many at once. */
export class ManifestPass {
  readonly #run: RetentionRun;
  readonly #observes: boolean;
  readonly #untagged: Untagged;
  readonly #burial: Burial;
  /** Those that were there when this began. */
  #there = new DigestSet();

  /** `observes` without a decision, for rules that rank untagged manifests. */
  constructor(run: RetentionRun, { observes = false } = {}) {
    [this.#run, this.#observes] = [run, observes];
    this.#untagged = new Untagged(run, (digest) => this.#there.has(digest));
    this.#burial = new Burial(run);
  }

  /** Goes on behind the digest `start`; answers where it stopped, `undefined` at the end. */
  async pass(start: Digest | undefined): Promise<Digest | undefined> {
    const { sweep } = this.#run;
    const { table } = sweep.registry;
    this.#there = await DigestSet.load(sweep, [manifestsOf(sweep.name)]);
    const sides = this.#sides(start);
    const range = { ...manifestsOf(sweep.name), ...from(start && afterManifest(start)) };
    let passed = start;
    for await (const page of sortedPages(table, range, MANIFESTS_AT_ONCE)) {
      const candidates: Candidate[] = [];
      for (const item of page) {
        const candidate = await this.#sift(item, sides);
        if (candidate) candidates.push(candidate);
      }
      const next = await this.#act(candidates);
      // Those before the first that was not begun are done.
      if (next) return page.map(digestOf).findLast((digest) => digest < next) ?? passed;
      passed = digestOf(page.at(-1) as Item);
      if (isOver(sweep)) return passed;
      await sweep.registry.giveWay?.();
    }
    return undefined;
  }

  async #act(candidates: readonly Candidate[]): Promise<Digest | undefined> {
    if (this.#observes) return void (await this.#untagged.observe(candidates));
    return this.#bury(await this.#untagged.decide(candidates));
  }

  #sides(start: Digest | undefined): Sides {
    const { registry, name } = this.#run.sweep;
    const edges = { ...edgesOf(name), keysOnly: true, ...from(start && afterEdgesTo(start)) };
    const index = { ...tagIndexesOf(name), ...from(start && afterTagIndexOf(start)) };
    return {
      edges: new Side(sortedPages(registry.table, edges)),
      index: new Side(sortedPages(registry.table, index)),
    };
  }

  /** Answers the first that it did not begin, as its time was over. */
  async #bury(going: readonly Going[]): Promise<Digest | undefined> {
    for (let start = 0; start < going.length; start += BURIALS_AT_ONCE) {
      if (start > 0 && isOver(this.#run.sweep)) return going[start]?.digest;
      const batch = this.#run.allowance.take(going.slice(start, start + BURIALS_AT_ONCE));
      const left = await Promise.all(batch.map((each) => this.#burial.bury(each)));
      await this.#buryLeft(left.flat());
    }
    return undefined;
  }

  /** One by one: what several of them held, nothing holds once the last of these is gone. */
  async #buryLeft(left: readonly Going[]): Promise<void> {
    const waiting = new Map(left.map((going) => [going.digest, going]));
    for (const [digest, going] of waiting) {
      const more = await this.#burial.bury(going);
      waiting.delete(digest);
      for (const each of more) waiting.set(each.digest, each);
    }
  }

  /** `undefined` where it stays, or goes with what it belongs to; nothing is looked up for it. */
  async #sift(item: Item, { edges, index }: Sides): Promise<Candidate | undefined> {
    const digest = digestOf(item);
    const { subject, pushedAt, pushedLastAt, restoredAt, left } = item.attributes;
    const owners: Digest[] = [];
    const former: Digest[] = [];
    const see = (owner: Digest) => {
      if (this.#there.has(owner)) owners[0] ??= owner;
      else if (former.length < FORMER_OWNERS) former.push(owner);
    };
    const tags: Tag[] = [];
    const times = [pushedAt, pushedLastAt, restoredAt, left];
    const retired: number[] = [];
    await edges.pass(digest, (edge) => see(lastPartOf(edge) as Digest));
    await index.pass(digest, (entry) => {
      if (entry.attributes['left'] === undefined) tags.push(lastPartOf(entry) as Tag);
      else times.push(entry.attributes['left']);
      if (entry.attributes['retired'] === true) retired.push(entry.attributes['left'] as number);
    });
    if (subject !== undefined && subject !== digest) see(subject as Digest);
    const [owner] = owners;
    const stands = this.#run.whyStands(digest, item.attributes);
    const why = stands ?? (owner && `it stays and goes with ${owner}`);
    if (why !== undefined) {
      if (!this.#observes) this.#run.tellKept({ digest, found: item.attributes }, why, owner);
      return undefined;
    }
    const since = Math.max(...times.map((time) => (time as number | undefined) ?? 0));
    const retiredAt = retired.length > 0 && { retiredAt: Math.max(...retired) };
    return { digest, found: item.attributes, tags, former, since, ...retiredAt };
  }
}

const from = (after: string | undefined) => (after === undefined ? {} : { after });
const digestOf = (item: Item) => lastPartOf(item) as Digest;
