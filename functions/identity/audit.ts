import { AUDIT_RETENTION_SECONDS } from '../limits.ts';
import { auditKey, auditOf, auditSort } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { lasting } from '../registry/until.ts';
import type { Attributes, Item, Key, Operation } from '../storage/table.ts';

/** Who did what, where to, when, from where, and whether it was allowed. */
export interface AuditRecord {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** `user:alice`; where a login failed, the one that was claimed. */
  readonly principal: string;
  /** The operation's name, as in the log: `manifest.put`. */
  readonly operation: string;
  readonly outcome: 'allowed' | 'refused' | 'failed';
  readonly status: number;
  readonly repository?: string | undefined;
  /** What exactly, in a few words: a tag, a digest, a scope, a path. */
  readonly target?: string | undefined;
  /** Where retention deleted something: what, and why. */
  readonly deletion?: Deletion | undefined;
  readonly address: string;
  readonly userAgent: string;
  /** Of refused logins alike in a minute, of which this is the first. @default 1 */
  readonly count?: number;
}

/** What a policy has deleted, and what its rule knew of it. */
export interface Deletion {
  readonly kind: 'tag' | 'manifest';
  readonly tag?: string;
  readonly digest: string;
  /** Bytes of the manifest. */
  readonly size?: number;
  /** Which of the policy's rules, from 0. */
  readonly rule?: number;
  /** Its place among the `of` that the rule counts, from 1. */
  readonly rank?: number;
  readonly of?: number;
  /** How long it has been where it was, or has belonged to nothing. */
  readonly ageMs?: number;
  /** Milliseconds since 1970; absent where that did not count, or it never was. */
  readonly lastPulledAt?: number;
  readonly reason: string;
}

const MAX_TEXT = 500;

/** Appends to the trail, also of a request that has been cut off: who hangs up must not stay out of it. Nothing changes or
 *  removes a record but its end after `AUDIT_RETENTION_SECONDS`. */
export async function recordAudit(
  registry: Registry,
  record: AuditRecord,
  key = newAuditKey(registry, record),
): Promise<void> {
  await lasting(registry).table.write([auditOperation(key, record)]);
}

export const newAuditKey = ({ newId }: Registry, { time }: AuditRecord) => auditKey(time, newId());

/** What writes a record. */
export function auditOperation(key: Key, record: AuditRecord): Operation {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined && value !== '');
  const cut = entries.map(([name, value]) => [name, typeof value === 'string' ? printable(value) : value]);
  const expiresAt = Math.floor(record.time / 1000) + AUDIT_RETENTION_SECONDS;
  return { put: key, attributes: { ...(Object.fromEntries(cut) as unknown as Attributes), expiresAt } };
}

/** Much of a record is what a stranger has sent. It must not move the cursor of a terminal, nor pass for another line, and
 *  a pair of surrogates that is cut in half is no text. */
const printable = (text: string) =>
  text
    .slice(0, MAX_TEXT)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd');

export interface AuditQuery {
  /** Milliseconds, included. */
  readonly since: number;
  /** Milliseconds, not included. */
  readonly until: number;
  readonly principal?: string | undefined;
  readonly repository?: string | undefined;
  readonly outcome?: string | undefined;
  /** `manifest.put`, or `manifest` for all of its kind. */
  readonly operation?: string | undefined;
  /** An operation that is left out where it was allowed. */
  readonly without?: string | undefined;
  readonly limit: number;
  /** Where the page before ended. */
  readonly after?: string | undefined;
}

export interface AuditPage {
  readonly records: readonly AuditRecord[];
  /** The `after` of the page that follows; absent on the last. */
  readonly next?: string;
}

const DAY_MS = 24 * 60 * 60_000;
const BATCH = 500;
/** A filter that fits little must not make one request read the whole trail. */
const MAX_READ = 10_000;
/** A day without records is a query, too. */
const QUERY_COST = 100;

/** The newest records first. A page may be short of `limit` and still have a next one. */
export async function listAudit(registry: Registry, query: AuditQuery): Promise<AuditPage> {
  const records: AuditRecord[] = [];
  const end = auditSort(query.until);
  let next = query.after !== undefined && query.after < end ? query.after : end;
  for (let read = 0; read < MAX_READ && records.length < query.limit; ) {
    const day = dayBefore(next);
    if (day < dayOf(query.since)) return { records };
    const items = await readDay(registry, day, next);
    const found = items.filter((item) => fits(item, query)).slice(0, query.limit - records.length);
    records.push(...found.map(recordOf));
    const isFull = records.length === query.limit || items.length === BATCH;
    next = (records.length === query.limit ? found : items).at(-1)?.key.sort ?? next;
    if (!isFull) next = auditSort(day);
    read += items.length + QUERY_COST;
  }
  return { records, next };
}

/** Up to `BATCH` records of one day, the newest before `next` first. */
function readDay({ table }: Registry, day: number, next: string): Promise<readonly Item[]> {
  return table.query({ ...auditOf(day), after: next, limit: BATCH, direction: 'descending' });
}

export const AUDIT_POSITION = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(?:#[0-9a-f-]{1,36})?$/;

/** Whether a text can be the `next` of a page. */
export const isAuditPosition = (text: string) =>
  AUDIT_POSITION.test(text) && !Number.isNaN(Date.parse(text.slice(0, ISO_LENGTH)));

/** Of a time, as it stands in a sort key. */
const ISO_LENGTH = '2026-01-01T00:00:00.000Z'.length;

/** The day of a record's sort key; of a bare time, the day that ends there or later. */
function dayBefore(sort: string): number {
  const time = Date.parse(sort.slice(0, ISO_LENGTH));
  return dayOf(sort.length > ISO_LENGTH ? time : time - 1);
}

const dayOf = (milliseconds: number) => Math.floor(milliseconds / DAY_MS) * DAY_MS;

function fits({ attributes }: Item, query: AuditQuery): boolean {
  const { since, principal, repository, outcome, operation, without } = query;
  if ((attributes['time'] as number) < since) return false;
  const done = attributes['operation'] as string;
  if (operation !== undefined && done !== operation && !done.startsWith(`${operation}.`)) return false;
  if (done === without && attributes['outcome'] === 'allowed') return false;
  const wanted = Object.entries({ principal, repository, outcome });
  return wanted.every(([name, value]) => value === undefined || attributes[name] === value);
}

function recordOf({ attributes }: Item): AuditRecord {
  const { expiresAt: _, ...record } = attributes;
  const known = { address: '', userAgent: '', ...record };
  return known as unknown as AuditRecord;
}
