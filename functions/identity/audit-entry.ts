import type { Registry } from '../registry/registry.ts';
import { MAX_OPERATIONS, type Operation, type Outcome, type Table } from '../storage/table.ts';
import { type AuditRecord, auditOperation, newAuditKey, recordAudit } from './audit.ts';

/** The record of one request, which the trail has before anything the request does, or in one transaction with it: written
 *  as if all went well, and once more where it turns out otherwise. */
export class AuditEntry {
  readonly #registry: Registry;
  readonly #expected: () => AuditRecord;
  #first: Promise<Outcome> | undefined;
  /** What the trail has, by its key. */
  #written: { readonly key: ReturnType<typeof newAuditKey>; readonly text: string } | undefined;
  #isSettled = false;

  /** `expected` is asked when the request first writes. */
  constructor(registry: Registry, expected: () => AuditRecord) {
    this.#registry = registry;
    this.#expected = expected;
  }

  /** Whether anything may have been done. */
  get isWritten(): boolean {
    return this.#written !== undefined;
  }

  /** The registry's table, of which the first write brings the record with it. */
  get table(): Table {
    const { table } = this.#registry;
    return {
      get: (key) => table.get(key),
      getMany: (keys) => table.getMany(keys),
      query: (query) => table.query(query),
      write: (operations) => this.#write(operations),
    };
  }

  /** Says how it ended; the request fails where that cannot be written. Of the same time as what was expected. */
  async settle(record: AuditRecord): Promise<void> {
    this.#isSettled = true;
    if (!this.#written) return recordAudit(this.#registry, record);
    const { key, text } = this.#written;
    const ended = { ...record, time: JSON.parse(text).time as number };
    if (JSON.stringify(ended) !== text) await recordAudit(this.#registry, ended, key);
  }

  async #write(operations: readonly Operation[]): Promise<Outcome> {
    await this.#first?.catch(() => undefined); // what is written beside it must not be there before it
    const { table } = this.#registry;
    if (this.#written || this.#isSettled) return table.write(operations);
    const record = this.#expected();
    const key = newAuditKey(this.#registry, record);
    const put = auditOperation(key, record);
    const isFull = operations.length >= MAX_OPERATIONS;
    // What fails without an answer may have happened.
    this.#written = { key, text: JSON.stringify(record) };
    this.#first = table.write(isFull ? [put] : [...operations, put]);
    const outcome = await this.#first;
    if (!outcome.committed) this.#written = undefined;
    return isFull ? table.write(operations) : outcome;
  }
}
