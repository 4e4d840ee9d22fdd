import { randomUUID } from 'node:crypto';
import type { Digest } from '../../functions/oci/digest.ts';
import { RegistryError } from '../../functions/oci/errors.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { lastPartOf, manifestsOf, tagIn, tagsOf } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { putManifest } from '../../functions/registry/manifest-push.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import { confirmPolicy } from '../../functions/registry/policy-confirmations.ts';
import { recordPull } from '../../functions/registry/pulls.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { findRepository } from '../../functions/registry/repositories.ts';
import { restore } from '../../functions/registry/restore.ts';
import { endHoldOn, holdManifest } from '../../functions/registry/retention-holds.ts';
import { deleteTag } from '../../functions/registry/tags.ts';
import type { BlobStore } from '../../functions/storage/blob-store.ts';
import type { Operation, Table } from '../../functions/storage/table.ts';
import type { Finding } from '../../functions/upkeep/finding.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { MemoryTable } from '../contract/memory-table.ts';
import { DAY, INDEX, type Life, type Made, type Step } from './retention-life.ts';
import { Book } from './retention-oracle.ts';

const NAME = 'team/app' as RepositoryName;
const MINUTE = 60_000;
/** Of a run, of some twenty pages here. One that comes no further shows by what it has left. */
const MOST_TURNS = 1000;

/** A mistake between the code and its table. */
export interface Plant {
  readonly write?: (operations: readonly Operation[]) => readonly Operation[];
  readonly read?: (table: Table) => Partial<Table>;
  /** Changes the code until what it answers is called. */
  readonly patch?: () => () => void;
}

/** Where the code and the page differ. */
export interface Difference {
  readonly at: number;
  readonly what: 'dry run' | 'run' | 'rest';
  readonly expected: readonly string[];
  readonly found: readonly string[];
}

/** What is done to it, in a line for each step. */
export function storyOf({ manifests, tags, steps, policies }: Life): string {
  const known = manifests.map(({ digest, children, subject }, index) => {
    const at = (of: Digest) => manifests.findIndex((other) => other.digest === of);
    return `${index} ${digest.slice(0, 12)} lists ${children.map(at)} subject ${subject && at(subject)}`;
  });
  const did = steps.map((step) => {
    const named = 'tags' in step ? step.tags.map((tag) => tags[tag]) : 'tag' in step && tags[step.tag ?? 0];
    return `${JSON.stringify(step)} ${named || ''}`;
  });
  return [...known, ...did, ...policies.map(({ retention }) => JSON.stringify(retention))].join('\n');
}

/** Lets a repository live, and answers the first difference between what the real code keeps, or says, and a plain reading of the page. */
export async function live(life: Life, plant: Plant = {}): Promise<Difference | undefined> {
  return new Lived(life, plant).live();
}

class Lived {
  readonly #life: Life;
  readonly #book: Book;
  readonly #table: Table;
  readonly #registry: Registry;
  #now = Date.UTC(2026, 0, 1);
  #waited = 0;
  #isMade = false;

  constructor(life: Life, plant: Plant) {
    this.#life = life;
    this.#book = new Book(life.manifests, life.policies);
    const table = new MemoryTable();
    this.#table = table;
    const { write = (operations) => operations } = plant;
    const planted: Table = {
      get: (key) => table.get(key),
      getMany: (keys) => table.getMany(keys),
      query: (query) => table.query(query),
      write: async (operations) => {
        const written = write(operations);
        return written.length === 0 ? { committed: true } : table.write(written);
      },
      ...plant.read?.(table),
    };
    this.#registry = {
      table: planted,
      blobs: {} as BlobStore, // nothing here is large enough for one
      now: () => this.#now,
      // Who never wins gives up.
      steady: () => this.#now + this.#waited,
      newId: randomUUID,
      pause: async (ms) => {
        this.#waited += ms;
      },
    };
  }

  async live(): Promise<Difference | undefined> {
    for (const policy of this.#life.policies) {
      await putPolicy(this.#registry, policy);
      await confirmPolicy(this.#registry, policy.name, policy);
    }
    for (const [at, step] of this.#life.steps.entries()) {
      this.#now += MINUTE;
      const difference = step.do === 'run' ? await this.#run(at, step.days) : await this.#act(step);
      if (difference) return difference;
    }
    return undefined;
  }

  async #act(step: Exclude<Step, { readonly do: 'run' }>): Promise<undefined> {
    try {
      await this.#doOrRefuse(step);
    } catch (error) {
      if (!(error instanceof RegistryError) || error.status >= 500) throw error;
      // A push that was refused has asked for what it lists, and may come again.
      if (step.do === 'push') this.#book.askedFor(this.#life.manifests[step.manifest]?.digest as Digest);
    }
  }

  /** First the real code, which may refuse, then the book. */
  async #doOrRefuse(step: Exclude<Step, { readonly do: 'run' }>): Promise<void> {
    const [registry, book, now] = [this.#registry, this.#book, this.#now];
    if (step.do === 'push') return this.#push(step.manifest, step.tags);
    if (step.do === 'untag') {
      const tag = this.#tagAt(step.tag);
      await deleteTag(registry, NAME, tag);
      return book.untag(tag, now);
    }
    if (step.do === 'restore' || step.do === 'pull') return this.#restoreOrPull(step);
    const { digest } = this.#madeAt(step.manifest);
    if (step.do === 'delete') {
      await deleteManifest(registry, NAME, digest);
      return book.remove(digest, now);
    }
    if (step.do === 'release') {
      await endHoldOn(registry, NAME, digest);
      return book.release(digest);
    }
    const until = now + step.days * DAY;
    await holdManifest(registry, NAME, { digest, reason: 'an audit', until });
    return book.hold(digest, until);
  }

  async #push(manifest: number, on: readonly number[]): Promise<void> {
    const { digest, bytes } = this.#madeAt(manifest);
    const tags = on.map((tag) => this.#tagAt(tag));
    const push = { repository: NAME, bytes, contentType: INDEX, digest: undefined, tags };
    await putManifest(this.#registry, push);
    this.#isMade = true;
    this.#book.push(digest, tags, this.#now);
  }

  async #restoreOrPull(step: Extract<Step, { readonly do: 'restore' | 'pull' }>): Promise<void> {
    const digest = step.manifest === undefined ? undefined : this.#madeAt(step.manifest).digest;
    const tag = this.#tagAt(step.tag ?? 0);
    if (step.do === 'restore') return this.#restore(digest ? { digest } : { tag });
    if (!(digest ? this.#book.manifests.includes(digest) : this.#book.tags.has(tag))) return;
    const reference = digest ? ({ kind: 'digest', digest } as const) : ({ kind: 'tag', tag } as const);
    await recordPull(this.#registry, NAME, reference);
    this.#book.pull(digest ?? tag, this.#now);
  }

  #madeAt(index: number): Made {
    return this.#life.manifests[index] as Made;
  }

  #tagAt(index: number): Tag {
    return this.#life.tags[index] as Tag;
  }

  /** What comes back the restore says; when it was what, the book knows. */
  async #restore(wanted: { readonly digest: Digest } | { readonly tag: Tag }): Promise<void> {
    const until = Number.POSITIVE_INFINITY;
    const { entries } = await restore(this.#registry, NAME, wanted, { until });
    const restored = entries.filter(({ outcome }) => outcome === 'restored');
    for (const { kind, digest } of restored)
      if (kind === 'manifest') this.#book.restore(digest as Digest, this.#now);
    for (const { kind, tag, digest } of restored)
      if (kind === 'tag') this.#book.restoreTag(tag as Tag, digest as Digest, this.#now);
  }

  async #run(at: number, days: number): Promise<Difference | undefined> {
    this.#now += days * DAY;
    if (!this.#isMade) return undefined;
    const told = await this.#sweep(true);
    const rests = await this.#rests();
    await this.#sweep(false);
    this.#book.epoch += 1;
    const { tags, manifests } = this.#book.retain(this.#now);
    const expected = [...tags, ...manifests].toSorted(inOrder);
    if (expected.join() !== told.join()) return { at, what: 'dry run', expected, found: told };
    if (expected.length > 0 && rests) return { at, what: 'rest', expected: [], found: expected };
    const [kept, found] = [this.#kept(), await this.#stored()];
    return kept.join() === found.join() ? undefined : { at, what: 'run', expected: kept, found };
  }

  /** Whether nobody would sweep it now. */
  async #rests(): Promise<boolean> {
    return ((await findRepository(this.#registry, NAME))?.sweepDue ?? 0) > this.#now;
  }

  /** What it tells of, and nothing that stays. */
  async #sweep(dryRun: boolean): Promise<string[]> {
    const gone: string[] = [];
    const report = ({ action, kind, tag, digest }: Finding) => {
      if (action === 'delete' && (kind === 'tag' || kind === 'manifest')) gone.push(tag ?? digest);
    };
    const options = { epochMs: DAY, quarantineMs: 7 * DAY, until: Number.POSITIVE_INFINITY, dryRun, report };
    // One page at a time, so that all that a sweep knows is what it has saved.
    const mostCalls = dryRun ? {} : { mostCalls: 1 };
    let turns = 0;
    for (let outcome = ''; outcome !== 'done' && turns < MOST_TURNS; turns += 1)
      outcome = await sweepRepository(this.#registry, NAME, { ...options, ...mostCalls });
    return gone.toSorted(inOrder);
  }

  #kept(): string[] {
    const tags = [...this.#book.tags].map(([tag, digest]) => `${tag} on ${digest}`);
    return [...tags, ...this.#book.manifests].toSorted(inOrder);
  }

  async #stored(): Promise<string[]> {
    const [tags, manifests] = await Promise.all(
      [tagsOf(NAME), manifestsOf(NAME)].map((range) => this.#table.query({ ...range, limit: 1000 })),
    );
    const on = (tags ?? []).map((item) => `${tagIn(item)} on ${item.attributes['digest']}`);
    return [...on, ...(manifests ?? []).map(lastPartOf)].toSorted(inOrder);
  }
}

const inOrder = (a: string, b: string) => (a < b ? -1 : Number(a > b));
