import { createHash } from 'node:crypto';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { afterTag, tagIn, tagsOf } from '../registry/keys.ts';
import { listPolicies, type Policy, policiesFor } from '../registry/policies.ts';
import type { Registry } from '../registry/registry.ts';
import { findRepository } from '../registry/repositories.ts';
import type { Item } from '../storage/table.ts';
import { epochToSweep } from './epoch.ts';
import type { Finding } from './finding.ts';
import { DEFAULT_LEASE, type Lease } from './lease.ts';
import { mayRetain } from './retention-consent.ts';
import { Holds } from './retention-holds.ts';
import { ManifestPass } from './retention-manifests.ts';
import { RetentionRules } from './retention-rules.ts';
import { RetentionRun } from './retention-run.ts';
import { removeTagsOf, type TagDecision } from './retention-tags.ts';
import { Allowance, limitsOf } from './run-limits.ts';
import { sortedPages } from './sorted-pages.ts';
import { expectSoon, isOver, type Position, type Stage, type Sweep } from './stage.ts';

/** Tags carry manifests of up to 16 KiB each. */
const TAGS_AT_ONCE = 100;

/** In this order: tags and untagged manifests are ranked, tags go, then manifests. */
const PASSES = ['rank', 'rankUntagged', 'tags', 'manifests'] as const;

/** How far retention has come in a repository. */
interface Progress {
  readonly pass: (typeof PASSES)[number];
  /** The last tag or digest that was passed. */
  readonly last?: string | undefined;
  /** What the rules have ranked. */
  readonly state?: string | undefined;
  /** What it may delete still. @default anything */
  readonly left?: number | undefined;
  /** Of which policies that is: others begin anew. */
  readonly rules: string;
}

/** Deletes what the policies of the repository keep no longer, pass by pass, page by page; goes on where it stopped. What a pass
 *  decides of it has just read, and each removal stands on the condition that this is still so: whoever pushes, tags or
 *  touches meanwhile wins. Manifests stay restorable. */
export async function retain(sweep: Sweep, after: Position): ReturnType<Stage> {
  const { registry, name, dryRun } = sweep;
  // Those that say nothing of retention may still hold tags against the rules of teams.
  const policies = policiesFor(await listPolicies(registry), name);
  if (!policies.some(({ retention }) => retention)) return { done: true };
  const dryRunFrom = (counting: Sweep, from: Position) => retainBy(counting, policies, from);
  const consent = dryRun ? 'given' : await mayRetain(sweep, policies, dryRunFrom);
  if (consent === 'given') return retainBy(sweep, policies, after);
  expectSoon(sweep);
  return { done: consent === 'waits' };
}

/** The same by policies that cover the repository, whether or not they are those that hold, or may act. */
export async function retainBy(
  sweep: Sweep,
  policies: readonly Policy[],
  after: Position,
): ReturnType<Stage> {
  const { closedUntil, until, ...limits } = limitsOf(policies, sweep.registry.now());
  if (closedUntil !== undefined && !sweep.dryRun) {
    sweep.expect?.(closedUntil);
    return { done: true };
  }
  const rules = versionOf(policies);
  const saved = after === undefined ? undefined : (JSON.parse(after) as Progress);
  const start: Progress = saved?.rules === rules ? saved : { pass: 'rank', rules, ...limits };
  const within = sweep.dryRun ? sweep : { ...sweep, until: Math.min(sweep.until, until) };
  const passes = await Passes.begin(within, policies, start);
  const progress = await passes.run();
  return progress ? { done: false, after: JSON.stringify(progress) } : { done: true };
}

const versionOf = (policies: readonly Policy[]) =>
  createHash('sha256').update(JSON.stringify(policies)).digest('base64url').slice(0, 16);

class Passes {
  readonly #run: RetentionRun;
  readonly #start: Progress;
  readonly #told = new Set<Tag>();

  private constructor(run: RetentionRun, start: Progress) {
    [this.#run, this.#start] = [run, start];
  }

  static async begin(sweep: Sweep, policies: readonly Policy[], start: Progress): Promise<Passes> {
    const rules = new RetentionRules(policies, sweep.registry.now(), start.state, sweep.expect);
    if (rules.ranksNeed.has('pulls')) expectSoon(sweep); // nobody is disturbed by a pull
    const allowance = new Allowance(sweep.dryRun ? undefined : start.left);
    return new Passes(new RetentionRun(sweep, { rules, allowance, holds: await Holds.load(sweep) }), start);
  }

  /** Where it stopped, or `undefined` at the end. */
  async run(): Promise<Progress | undefined> {
    const { sweep, rules } = this.#run;
    const first = PASSES.indexOf(this.#start.pass);
    for (const [index, pass] of PASSES.slice(first).entries()) {
      const last = await this.#pass(pass, index === 0 ? this.#start.last : undefined);
      const next = last === undefined ? PASSES[first + index + 1] : pass;
      if (this.#run.allowance.isSpent) return undefined;
      if (next === undefined) return this.#nextSlice();
      if (last !== undefined || isOver(sweep)) return this.#progress(next, last, rules.state());
    }
    return undefined;
  }

  /** Where not all could be ranked at once, the rest is ranked next. */
  #nextSlice(): Progress | undefined {
    const state = this.#run.rules.nextState();
    return state === undefined ? undefined : this.#progress('rank', undefined, state);
  }

  #progress(pass: Progress['pass'], last: string | undefined, state: string): Progress {
    const { rules, allowance } = this.#run;
    const ranks = rules.ranks || rules.ranksUntagged;
    return { pass, last, ...(ranks && { state }), left: allowance.left, rules: this.#start.rules };
  }

  /** The last tag or digest that was passed, or `undefined` at its end. */
  async #pass(pass: Progress['pass'], last: string | undefined): Promise<string | undefined> {
    const { rules, judge, sweep } = this.#run;
    if (pass === 'rank') return rules.ranks ? this.#tags(last, (page) => judge.observe(page)) : undefined;
    if (pass === 'rankUntagged') {
      const ranking = new ManifestPass(this.#run, { observes: true });
      return rules.ranksUntagged ? ranking.pass(last as Digest | undefined) : undefined;
    }
    if (pass === 'tags') return this.#tags(last, (page) => this.#judge(page));
    const manifests = new ManifestPass(this.#run);
    return this.#mayLetGo() || sweep.tellsKept ? manifests.pass(last as Digest | undefined) : undefined;
  }

  async #tags(last: string | undefined, see: (page: readonly Item[]) => Promise<void>) {
    const { registry, name } = this.#run.sweep;
    const range = { ...tagsOf(name), ...(last !== undefined && { after: afterTag(last) }) };
    for await (const page of sortedPages(registry.table, range, TAGS_AT_ONCE)) {
      await see(page);
      if (isOver(this.#run.sweep)) return tagIn(page.at(-1) as Item);
      await registry.giveWay?.();
    }
    return undefined;
  }

  async #judge(page: readonly Item[]): Promise<void> {
    const { sweep, judge, holds } = this.#run;
    const decisions = this.#untold(page, await judge.judge(page));
    const all = decisions.filter(({ finding }) => finding.action === 'delete');
    if (all.length > 0) expectSoon(sweep);
    const going = this.#run.allowance.take(all);
    if (sweep.tellsKept) {
      for (const { finding } of decisions) if (finding.action === 'keep') sweep.report?.(finding);
    }
    await removeTagsOf(sweep, going, holds);
  }

  /** Of an image that goes whole, a page has tags of others too; in a dry run these are still there when their page comes. */
  #untold(page: readonly Item[], decisions: readonly TagDecision[]): readonly TagDecision[] {
    if (!this.#run.sweep.dryRun) return decisions;
    const own = new Set(page.map(tagIn));
    const untold = decisions.filter(({ tag }) => !this.#told.has(tag));
    for (const { tag } of untold) if (!own.has(tag)) this.#told.add(tag);
    return untold;
  }

  /** Whether there is any age at which an untagged manifest goes. */
  #mayLetGo(): boolean {
    const verdict = this.#run.rules.judgeUntagged({
      digest: '' as Digest,
      since: Number.NEGATIVE_INFINITY,
      retiredAt: 0,
    });
    return 'needs' in verdict || !verdict.keeps;
  }
}

/** A finding for every tag and manifest of the repository as the run of this moment would have it, tags first, in an order that
 *  stays while nothing changes; none where no policy says what to keep. */
export async function planOf(
  registry: Registry,
  name: RepositoryName,
  { epochMs, quarantineMs }: Lease = DEFAULT_LEASE,
): Promise<readonly Finding[]> {
  const repository = await findRepository(registry, name);
  if (!repository) return [];
  const findings = new Map<string, Finding>();
  // Of what belongs to something that goes both is told: that it belongs to it, and that it goes.
  const report = (finding: Finding) => {
    const id = `${finding.kind} ${finding.tag ?? finding.digest}`;
    if (findings.get(id)?.action !== 'delete') findings.set(id, finding);
  };
  const { epoch, epochAt } = epochToSweep(repository, registry.now(), epochMs);
  const until = Number.POSITIVE_INFINITY;
  const sweep = {
    registry,
    name,
    horizon: epoch - 2,
    epochAt,
    epochMs,
    quarantineMs,
    until,
    dryRun: true,
    report,
    tellsKept: true,
  };
  for (let after: Position; ; ) {
    const outcome = await retain(sweep, after);
    if (outcome.done) break;
    after = outcome.after;
  }
  const isTag = ({ kind }: Finding) => kind === 'tag';
  const all = [...findings.values()];
  return [...all.filter(isTag), ...all.filter((finding) => !isTag(finding))];
}
