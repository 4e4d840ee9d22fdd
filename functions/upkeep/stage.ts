import type { RepositoryName } from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { Finding } from './finding.ts';

/** How a sweep goes about it. */
export interface SweepOptions {
  /** Milliseconds an epoch lasts at least. */
  readonly epochMs: number;
  /** Milliseconds for which a deleted manifest can be brought back. */
  readonly quarantineMs: number;
  /** Milliseconds since 1970, after which it begins no further page; the next sweep goes on there. */
  readonly until: number;
  /** Calls of the table, after which it begins no further page either. @default as many as it takes */
  readonly mostCalls?: number;
  /** Only tells what would go. @default false */
  readonly dryRun?: boolean;
  /** Told of everything that goes, and of what stays although nothing uses it. @default nobody */
  readonly report?: (finding: Finding) => void;
  /** Whether retention tells of what stays, too. @default false */
  readonly tellsKept?: boolean;
}

/** One sweep of one repository, as its stages see it. */
export interface Sweep extends SweepOptions {
  readonly registry: Registry;
  readonly name: RepositoryName;
  /** What was touched in this epoch or before may go: `g − 2` of docs/concurrency.md. */
  readonly horizon: number;
  /** Calls of the table so far. @default nobody counts */
  readonly calls?: () => number;
}

/** Whether a sweep is to begin nothing more. */
export const isOver = ({ registry, until, calls, mostCalls = Number.POSITIVE_INFINITY }: Sweep) =>
  registry.now() >= until || (calls?.() ?? 0) >= mostCalls;

/** Where a stage left off; `undefined` at its end. */
export type Position = string | undefined;

/** A part of a sweep, page by page. */
export type Stage = (
  sweep: Sweep,
  after: Position,
) => Promise<{
  readonly done: boolean;
  readonly after?: string;
  /** Milliseconds since 1970: when it could do more; the repository is swept again then. */
  readonly again?: number;
}>;
