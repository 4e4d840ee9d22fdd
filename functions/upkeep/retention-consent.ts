import { consentKey, waitingKey } from '../registry/keys.ts';
import type { Policy } from '../registry/policies.ts';
import { areConfirmed, retentionHash } from '../registry/policy-confirmations.ts';
import type { Attributes, Operation } from '../storage/table.ts';
import type { Finding } from './finding.ts';
import type { Sweep } from './stage.ts';

/** Ours: who changes a policy has a day to see what it would delete. A sweep comes once a day, and an hour late or early. */
const WAIT_MS = 22 * 60 * 60_000;
const TOLD_MS = 24 * 60 * 60_000;

/** Ours: more than that is worth a question. */
const MOST_IMAGES = 100;
const MOST_SHARE = 0.1;

/** `later` where its time was not enough to count. */
export type Consent = 'given' | 'waits' | 'later';

/** A dry run of retention from a position on, and where it stopped. */
type DryRun = (sweep: Sweep, after: string | undefined) => Promise<{ done: boolean; after?: string }>;

/** What would go of a repository, and how much there is. An image is a manifest that belongs to no other. */
interface Counts {
  readonly tags: number;
  readonly ofTags: number;
  readonly images: number;
  readonly ofImages: number;
}

const NOTHING: Counts = { tags: 0, ofTags: 0, images: 0, ofImages: 0 };

/** What the item of a repository's consent says. */
interface State {
  /** The retention of each policy that may act here. */
  readonly settled?: Readonly<Record<string, string>>;
  /** The rules that the rest is about. */
  readonly version?: string;
  /** How far a count has come. */
  readonly after?: string;
  readonly counts?: Counts;
  /** Milliseconds since 1970: since when the policies wait. */
  readonly since?: number;
}

/** Whether the policies that cover the repository may act. Where they have changed and would delete more than a hundred of its
 *  tags or images, or more than a tenth, they wait for whoever confirms them, for a day at most. */
export async function mayRetain(sweep: Sweep, policies: readonly Policy[], dryRun: DryRun): Promise<Consent> {
  const { registry, name } = sweep;
  const rules = rulesOf(policies);
  const version = JSON.stringify(rules);
  const found = stateIn(await registry.table.get(consentKey(name)));
  const changed = changedIn(found.settled ?? {}, rules);
  if (changed.length === 0) return 'given';
  const state: State = found.version === version ? found : { ...settledIn(found), version };
  const consent = new Question(sweep, { rules, changed, state });
  if (await areConfirmed(registry, changed, policies)) return consent.settle();
  if (state.since !== undefined) return consent.wait(state.since);
  return consent.count(dryRun);
}

/** Of each policy that says what goes, or holds tags against the rules of teams. */
function rulesOf(policies: readonly Policy[]): Readonly<Record<string, string>> {
  const isGuarded = policies.some(({ isTeams, retention }) => isTeams && retention);
  const saying = policies.filter(
    ({ isTeams, retention, immutable }) => retention ?? (isGuarded && !isTeams && immutable),
  );
  return Object.fromEntries(saying.map((policy) => [policy.name, retentionHash(policy, isGuarded)]));
}

const stateIn = (found: Attributes | undefined): State =>
  found ? (JSON.parse(found['state'] as string) as State) : {};

const settledIn = ({ settled }: State) => (settled ? { settled } : {});

function changedIn(
  settled: Readonly<Record<string, string>>,
  rules: Readonly<Record<string, string>>,
): string[] {
  const names = new Set([...Object.keys(settled), ...Object.keys(rules)]);
  return [...names].filter((name) => settled[name] !== rules[name]);
}

interface Asked {
  readonly rules: Readonly<Record<string, string>>;
  /** Names of policies. */
  readonly changed: readonly string[];
  readonly state: State;
}

class Question {
  readonly #sweep: Sweep;
  readonly #asked: Asked;

  constructor(sweep: Sweep, asked: Asked) {
    [this.#sweep, this.#asked] = [sweep, asked];
  }

  async settle(): Promise<Consent> {
    const { name } = this.#sweep;
    const ends = this.#asked.changed.map((policy) => ({ remove: waitingKey(policy, name) }));
    await this.#save({ settled: this.#asked.rules }, ends);
    return 'given';
  }

  /** A time that has not come yet is of a clock that was wrong. */
  async wait(since: number): Promise<Consent> {
    const now = this.#sweep.registry.now();
    if (now - since >= WAIT_MS) return this.settle();
    if (since > now) await this.#ask(this.#asked.state.counts ?? NOTHING);
    return 'waits';
  }

  async count(dryRun: DryRun): Promise<Consent> {
    const { state } = this.#asked;
    let counts = state.counts ?? NOTHING;
    const report = (finding: Finding) => {
      counts = counted(counts, finding);
    };
    const outcome = await dryRun({ ...this.#sweep, dryRun: true, tellsKept: true, report }, state.after);
    if (!outcome.done) {
      const after = outcome.after === undefined ? {} : { after: outcome.after };
      await this.#save({ ...state, counts, ...after });
      return 'later';
    }
    if (!isMuch(counts)) return this.settle();
    await this.#ask(counts);
    return 'waits';
  }

  async #ask(counts: Counts): Promise<void> {
    const { registry, name, tell } = this.#sweep;
    const { changed, state } = this.#asked;
    const since = registry.now();
    const until = since + TOLD_MS;
    const { version = '' } = state;
    const attributes = { since, until, ...counts };
    const waiting = changed.map((policy) => ({ put: waitingKey(policy, name), attributes }));
    await this.#save({ ...settledIn(state), version, since, counts }, waiting);
    tell?.({
      is: 'waits',
      repository: name,
      policies: changed,
      until,
      tags: counts.tags,
      manifests: counts.images,
    });
  }

  async #save(state: State, more: readonly Operation[] = []): Promise<void> {
    const { registry, name } = this.#sweep;
    const attributes = { state: JSON.stringify(state) };
    await registry.table.write([{ put: consentKey(name), attributes }, ...more.slice(0, MOST_TOLD)]);
  }
}

/** Ours, beside the item of the repository in a transaction: nobody changes more policies at once. */
const MOST_TOLD = 99;

function counted(counts: Counts, { action, kind, owner }: Finding): Counts {
  const goes = action === 'delete' ? 1 : 0;
  if (kind === 'tag') return { ...counts, tags: counts.tags + goes, ofTags: counts.ofTags + 1 };
  if (kind !== 'manifest' || owner !== undefined) return counts;
  return { ...counts, images: counts.images + goes, ofImages: counts.ofImages + 1 };
}

function isMuch({ tags, ofTags, images, ofImages }: Counts): boolean {
  if (Math.max(tags, images) > MOST_IMAGES) return true;
  return tags > MOST_SHARE * ofTags || images > MOST_SHARE * ofImages;
}
