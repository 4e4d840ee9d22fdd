import type { RepositoryName } from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { Operation } from '../storage/table.ts';
import type { Finding } from './finding.ts';

/** What a sweep has to say of one repository and its policies. `waits`: they have changed, and act by themselves from `until` on
 *  (milliseconds since 1970) where nobody confirms them before. `fills`: four fifths of a quota are in use. */
export type UpkeepLine = {
  readonly repository: RepositoryName;
  /** Names of those that have deleted it, wait, or have the quota. */
  readonly policies: readonly string[];
} & (
  | { readonly is: 'deleted'; readonly tags: number; readonly manifests: number }
  | { readonly is: 'waits'; readonly tags: number; readonly manifests: number; readonly until: number }
  | { readonly is: 'fills'; readonly kind: 'bytes' | 'tags'; readonly used: number; readonly limit: number }
);

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
  /** What notes a deletion by retention in the audit trail, in the transaction that makes it. @default nobody learns of it */
  readonly record?: (repository: RepositoryName, finding: Finding) => Operation;
  /** Told in a line what policies have done in a repository, or wait for. @default nobody */
  readonly tell?: (line: UpkeepLine) => void;
}

/** One sweep of one repository, as its stages see it. */
export interface Sweep extends SweepOptions {
  readonly registry: Registry;
  readonly name: RepositoryName;
  /** What was touched in this epoch or before may go: `g − 2` of docs/concurrency.md. */
  readonly horizon: number;
  /** Milliseconds since 1970, when the epoch of now began. */
  readonly epochAt: number;
  /** Whether it is the first in a month. @default false */
  readonly isMonthly?: boolean;
  /** Calls of the table so far. @default nobody counts */
  readonly calls?: () => number;
  /** Told of a moment (milliseconds since 1970) at which something here could go, whatever else becomes of it. @default nobody asks */
  readonly expect?: (moment: number) => void;
}

/** Has the next sweep come with the next epoch. */
export const expectSoon = ({ expect, epochAt, epochMs }: Sweep) => expect?.(epochAt + epochMs);

/** Whether a sweep is to begin nothing more. */
export const isOver = ({ registry, until, calls, mostCalls = Number.POSITIVE_INFINITY }: Sweep) =>
  registry.now() >= until || (calls?.() ?? 0) >= mostCalls;

/** The epochs of a repository, in time: what was touched in an epoch may go once the one after it has gone by. */
export type Epochs = Pick<Sweep, 'horizon' | 'epochAt' | 'epochMs'>;

/** For people: since when nobody has touched what was last touched in an epoch that is over. */
export const untouchedSince = ({ horizon, epochAt, epochMs }: Epochs, touched: number) =>
  minute(epochAt - (horizon + 1 - touched) * epochMs);

/** For people: from when on it may go, if nobody touches it again. Sweeps may be late, and then it stays longer. */
export const mayGoFrom = ({ horizon, epochAt, epochMs }: Epochs, touched: number) =>
  minute(epochAt + (touched - horizon) * epochMs);

/** `2026-11-30 16:44 UTC`, not before the moment. */
const minute = (milliseconds: number) =>
  `${new Date(milliseconds + 59_999).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** Where a stage left off; `undefined` at its end. */
export type Position = string | undefined;

/** A part of a sweep, page by page. */
export type Stage = (
  sweep: Sweep,
  after: Position,
) => Promise<{ readonly done: boolean; readonly after?: string }>;
