import type { Registry } from '../registry/registry.ts';
import { type AuditRecord, newAuditKey, recordAudit } from './audit.ts';
import { networkOf } from './network.ts';

/** Ours: what is refused alike within so long is one record, which counts. */
const TOGETHER_MS = 60_000;

/** Ours: records of one network in that time, before they become one of that network; of all, before they become one of everybody. */
const PER_NETWORK = 10;
const IN_ALL = 60;

/** Stands where a record counts the logins of many names; nobody's name has a space. */
const MANY = '?many names';

interface Group {
  readonly key: ReturnType<typeof newAuditKey>;
  readonly first: AuditRecord;
  count: number;
  /** The write that is under way, and the one that waits for it and brings what has come meanwhile. */
  writing?: Promise<void> | undefined;
  next?: Promise<void> | undefined;
}

/** Keeps the refused logins of a process in the trail, which strangers may cause as often as they like: the first of a kind in a
 *  minute, with the number of all. What was refused is counted in the trail before its answer. */
export class Refusals {
  #minute = 0;
  readonly #groups = new Map<string, Group>();
  readonly #perNetwork = new Map<string, number>();

  /** Fails where the trail cannot be written. */
  record(registry: Registry, record: AuditRecord): Promise<void> {
    const group = this.#groupOf(registry, record);
    group.count += 1;
    if (!group.writing) return write(registry, group);
    group.next ??= group.writing.catch(() => undefined).then(() => write(registry, group));
    return group.next;
  }

  #groupOf(registry: Registry, record: AuditRecord): Group {
    const minute = Math.floor(record.time / TOGETHER_MS);
    if (minute !== this.#minute) {
      this.#groups.clear();
      this.#perNetwork.clear();
      this.#minute = minute;
    }
    const network = networkOf(record.address);
    const { principal, target = '' } = record;
    const ofMany = { ...record, principal: MANY, target: undefined };
    return (
      this.#find(registry, record, network, JSON.stringify([network, principal, target])) ??
      this.#find(registry, ofMany, undefined, network) ??
      this.#add(registry, { ...ofMany, address: '', userAgent: '' }, '')
    );
  }

  /** The group of that name, which is made where there is room for one more: of its network, where that has a bound. */
  #find(
    registry: Registry,
    record: AuditRecord,
    network: string | undefined,
    name: string,
  ): Group | undefined {
    const ofNetwork = network === undefined ? 0 : (this.#perNetwork.get(network) ?? 0);
    const found = this.#groups.get(name);
    if (found || this.#groups.size >= IN_ALL || ofNetwork >= PER_NETWORK) return found;
    if (network !== undefined) this.#perNetwork.set(network, ofNetwork + 1);
    return this.#add(registry, record, name);
  }

  #add(registry: Registry, first: AuditRecord, name: string): Group {
    const group = this.#groups.get(name) ?? { key: newAuditKey(registry, first), first, count: 0 };
    this.#groups.set(name, group);
    return group;
  }
}

/** One write of a record at a time: else a count could be overtaken by the one before. */
function write(registry: Registry, group: Group): Promise<void> {
  const { key, first, count } = group;
  group.next = undefined;
  const writing = recordAudit(registry, { ...first, ...(count > 1 && { count }) }, key).finally(() => {
    if (group.writing === writing) group.writing = undefined;
  });
  group.writing = writing;
  return writing;
}
