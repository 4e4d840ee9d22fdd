import type { RepositoryName } from '../oci/reference.ts';
import { inTurns, type Steps } from '../registry/in-turns.ts';
import { previewKey, repositories, repositoryIn } from '../registry/keys.ts';
import { coverageOf, type Policy, policiesFor } from '../registry/policies.ts';
import type { Registry } from '../registry/registry.ts';
import { findRepository } from '../registry/repositories.ts';
import type { Attributes } from '../storage/table.ts';
import { epochToSweep } from './epoch.ts';
import type { Finding } from './finding.ts';
import type { Lease } from './lease.ts';
import { retainBy } from './retention.ts';

/** What is to be told of: what policies would delete at this moment. */
export interface PreviewRequest {
  /** All that would hold. */
  readonly policies: readonly Policy[];
  /** Those of them that are asked about: what one of these covers is looked at. */
  readonly asked: readonly Policy[];
  /** Only this one. @default all in the catalog */
  readonly repository?: RepositoryName | undefined;
  /** Whether to tell of what stays, too. */
  readonly tellsKept: boolean;
}

/** What to ask about `asked`, beside those of `policies` that have other names; about none, what holds now is told. */
export function previewRequest(
  policies: readonly Policy[],
  asked: readonly Policy[],
  options: Pick<PreviewRequest, 'repository' | 'tellsKept'>,
): PreviewRequest {
  const names = new Set(asked.map(({ name }) => name));
  const others = policies.filter(({ name }) => !names.has(name));
  return { policies: [...others, ...asked], asked, ...options };
}

/** How much was looked at, and what of it would go. */
interface PreviewCounts {
  readonly repositories: number;
  readonly tags: number;
  readonly manifests: number;
  /** Of images that would go: layers that several have count with each, so it is no less than what is freed in the end. */
  readonly bytes: number;
  /** Tags and manifests that were looked at and stay; only where these are told. */
  readonly kept: number;
}

const NOTHING: PreviewCounts = { repositories: 0, tags: 0, manifests: 0, bytes: 0, kept: 0 };

export interface PreviewPage {
  readonly findings: readonly (Finding & { readonly repository: RepositoryName })[];
  /** With those of the pages before. */
  readonly counts: PreviewCounts;
  /** The repository that it has come to; absent at the end. */
  readonly at?: RepositoryName;
  /** The number of the page that follows; absent at the end. */
  readonly next?: number;
}

/** Where a page begins. */
interface Position {
  readonly request: PreviewRequest;
  /** The last repository that is done, and the one that is not, with how far it has come. */
  readonly behind?: RepositoryName | undefined;
  readonly at?: RepositoryName | undefined;
  readonly after?: string | undefined;
  readonly counts: PreviewCounts;
}

/** Ours: who comes back later asks anew. */
const KEPT_MS = 24 * 60 * 60_000;

/** Ours: some 400 KB of an answer, and what a page of manifests adds. */
const MAX_FINDINGS = 1000;

/** Ours: what a page may take, well inside Lambda's 29 s. */
const PAGE_MS = 4000;

const NAMES_AT_ONCE = 1000;

/** Begins a preview, whose pages are looked at as they are asked for, from page 0 on; answers its id. It is kept for a day. */
export async function beginPreview(registry: Registry, request: PreviewRequest): Promise<string> {
  const id = registry.newId();
  await save(registry, id, 0, { request, counts: NOTHING });
  return id;
}

interface PageRequest {
  readonly id: string;
  readonly page: number;
  readonly lease: Lease;
  /** Whether whoever asks for the page may see what was asked for. */
  readonly mayRead: (request: PreviewRequest) => boolean;
}

/** A page, which may have no findings and still have a next one: the same page once more is of the repository as it is by then.
 *  `undefined` where the preview is over, the page was passed long ago, or it may not be read. */
export async function readPreview(
  registry: Registry,
  { id, page, lease, mayRead }: PageRequest,
): Promise<PreviewPage | undefined> {
  const found = await registry.table.get(previewKey(id, page));
  const isOver = !found || (found['until'] as number) <= registry.now();
  if (isOver || !mayRead(positionIn(found).request)) return undefined;
  const slice = new Slice(registry, lease, positionIn(found));
  const next = await slice.run();
  const { findings } = slice;
  if (!next) return { findings, counts: slice.counts };
  await save(registry, id, page + 1, next);
  return { findings, counts: next.counts, next: page + 1, ...(next.at !== undefined && { at: next.at }) };
}

const positionIn = (found: Attributes) => JSON.parse(found['position'] as string) as Position;

/** The page before the last one is of no use to anybody. */
async function save(registry: Registry, id: string, page: number, position: Position): Promise<void> {
  const until = registry.now() + KEPT_MS;
  const attributes = { position: JSON.stringify(position), until, expiresAt: Math.ceil(until / 1000) };
  await registry.table.write([
    { put: previewKey(id, page), attributes },
    ...(page >= 2 ? [{ remove: previewKey(id, page - 2) }] : []),
  ]);
}

/** A pattern of many stars takes its time. */
function* firstCovered(
  names: readonly RepositoryName[],
  covers: readonly ((name: string) => boolean)[],
): Steps<RepositoryName | undefined> {
  for (const name of names) {
    if (covers.some((covered) => covered(name))) return name;
    yield;
  }
  return undefined;
}

class Slice {
  readonly #registry: Registry;
  readonly #lease: Lease;
  readonly #end: number;
  readonly findings: (Finding & { readonly repository: RepositoryName })[] = [];
  counts: PreviewCounts;
  #position: Position;

  constructor(registry: Registry, lease: Lease, position: Position) {
    [this.#registry, this.#lease, this.#position] = [registry, lease, position];
    this.counts = position.counts;
    this.#end = registry.now() + PAGE_MS;
  }

  /** Where the page that follows begins, `undefined` at the end. */
  async run(): Promise<Position | undefined> {
    for (;;) {
      const { request, behind, after, at = await this.#nextBehind(behind) } = this.#position;
      if (at === undefined) return undefined;
      const outcome = await this.#look(at, after);
      if (outcome.done) this.counts = { ...this.counts, repositories: this.counts.repositories + 1 };
      const { counts } = this;
      this.#position = outcome.done
        ? { request, behind: at, counts }
        : { request, behind, at, after: outcome.after, counts };
      if (outcome.done && request.repository !== undefined) return undefined;
      if (this.#isOver()) return this.#position;
    }
  }

  #isOver(): boolean {
    return this.findings.length >= MAX_FINDINGS || this.#registry.now() >= this.#end;
  }

  async #nextBehind(behind: RepositoryName | undefined): Promise<RepositoryName | undefined> {
    const { repository, asked } = this.#position.request;
    if (repository !== undefined) return behind === undefined ? repository : undefined;
    const covers = asked.map(coverageOf);
    for (let after: string | undefined = behind; ; ) {
      const range = { ...repositories, limit: NAMES_AT_ONCE, keysOnly: true };
      const items = await this.#registry.table.query({ ...range, ...(after !== undefined && { after }) });
      const found = await inTurns(this.#registry, firstCovered(items.map(repositoryIn), covers));
      if (found !== undefined || items.length < NAMES_AT_ONCE) return found;
      after = items.at(-1)?.key.sort;
    }
  }

  async #look(name: RepositoryName, after: string | undefined) {
    const registry = this.#registry;
    const repository = await findRepository(registry, name);
    const { policies, tellsKept } = this.#position.request;
    const covering = policiesFor(policies, name);
    if (!repository || !covering.some(({ retention }) => retention)) return { done: true, after: undefined };
    const { epoch, epochAt } = epochToSweep(repository, registry.now(), this.#lease.epochMs);
    const isOver = () => this.#isOver();
    const sweep = {
      ...this.#lease,
      ...{ registry, name, tellsKept, dryRun: true },
      horizon: epoch - 2,
      epochAt,
      /** Also over where the page is full. */
      get until() {
        return isOver() ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
      },
      report: (finding: Finding) => this.#take(name, finding),
    };
    return { after: undefined, ...(await retainBy(sweep, covering, after)) };
  }

  #take(repository: RepositoryName, finding: Finding): void {
    this.findings.push({ repository, ...finding });
    const { action, kind, imageBytes = 0 } = finding;
    const { counts } = this;
    if (action === 'keep') this.counts = { ...counts, kept: counts.kept + 1 };
    else if (kind === 'tag') this.counts = { ...counts, tags: counts.tags + 1 };
    else this.counts = { ...counts, manifests: counts.manifests + 1, bytes: counts.bytes + imageBytes };
  }
}
