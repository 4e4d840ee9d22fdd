import { createHash } from 'node:crypto';
import type { Download } from './download-limits.ts';
import { trafficEntryIn, trafficKey, trafficOf } from './keys.ts';
import type { Registry } from './registry.ts';
import { lasting } from './until.ts';

/** Ours: what was counted of one repository or principal is written down from so many downloads or bytes on: a write costs less than a hundredth of
 *  them. */
const MOST_DOWNLOADS = 64;
const MOST_BYTES = 256 * 1024 * 1024;

/** Ours: more are written down before. */
const MAX_ENTRIES = 10_000;

/** Ours: many processes that write at once write to so many partitions. */
const SHARDS = 8;

const READ_AT_ONCE = 1000;

/** Ours: a year can be looked at, and the month of now. */
const KEPT_SECONDS = 400 * 24 * 60 * 60;

/** How much was downloaded. */
export interface Traffic {
  readonly downloads: number;
  readonly bytes: number;
}

interface Entry {
  readonly month: string;
  readonly kind: 'R' | 'P';
  readonly name: string;
  downloads: number;
  bytes: number;
}

/** `2026-11`, in UTC. */
export const monthOf = (moment: number) => new Date(moment).toISOString().slice(0, 7);

/** What one process has counted of downloads, by month, and has not written down yet. What a process has when it is killed is lost. */
export class TrafficCount {
  readonly #entries = new Map<string, Entry>();

  async count(
    registry: Registry,
    { repository, principal, bytes }: Omit<Download, 'isAnonymous'>,
  ): Promise<void> {
    const month = monthOf(registry.now());
    const counted = [this.#add(month, 'R', repository, bytes), this.#add(month, 'P', principal, bytes)];
    const full = counted.filter((each) => each.downloads >= MOST_DOWNLOADS || each.bytes >= MOST_BYTES);
    const some = this.#entries.size > MAX_ENTRIES ? [...this.#entries.values()] : full;
    if (some.length === 0) return;
    const write = this.#taking(lasting(registry), some);
    if (registry.afterwards) registry.afterwards(write);
    else await write();
  }

  /** Writes down all that was counted. */
  async flush(registry: Registry): Promise<void> {
    await this.#taking(lasting(registry), [...this.#entries.values()])();
  }

  #add(month: string, kind: Entry['kind'], name: string, bytes: number): Entry {
    const id = `${month} ${kind} ${name}`;
    const entry = this.#entries.get(id) ?? { month, kind, name, downloads: 0, bytes: 0 };
    entry.downloads += 1;
    entry.bytes += bytes;
    this.#entries.set(id, entry);
    return entry;
  }

  /** What writes these down, which count no more here: each by itself, since together they would be a transaction, which costs twice as much and
   *  has others wait. A count that cannot be written is no reason for a download to fail. */
  #taking({ table, now, newId }: Registry, entries: readonly Entry[]): () => Promise<void> {
    for (const { month, kind, name } of entries) this.#entries.delete(`${month} ${kind} ${name}`);
    const expiresAt = Math.floor(now() / 1000) + KEPT_SECONDS;
    return async () => {
      const written = entries.map(({ month, kind, name, downloads, bytes }) => {
        const update = trafficKey(month, shardOf(newId()), kind, name);
        return table.write([{ update, add: { downloads, bytes }, set: { expiresAt } }]);
      });
      await Promise.allSettled(written);
    };
  }
}

const shardOf = (id: string) => (createHash('sha256').update(id).digest()[0] ?? 0) % SHARDS;

/** What was downloaded in a month (`2026-11`), the most bytes first. */
export async function trafficIn({ table }: Registry, month: string) {
  const sums = { R: new Map<string, Traffic>(), P: new Map<string, Traffic>() };
  for (let shard = 0; shard < SHARDS; shard += 1) {
    for (let after: string | undefined; ; ) {
      const range = {
        ...trafficOf(month, shard),
        limit: READ_AT_ONCE,
        ...(after !== undefined && { after }),
      };
      const items = await table.query(range);
      for (const item of items) {
        const { kind, name } = trafficEntryIn(item);
        const { downloads = 0, bytes = 0 } = item.attributes as unknown as Partial<Traffic>;
        const before = sums[kind].get(name) ?? { downloads: 0, bytes: 0 };
        sums[kind].set(name, { downloads: before.downloads + downloads, bytes: before.bytes + bytes });
      }
      if (items.length < READ_AT_ONCE) break;
      after = items.at(-1)?.key.sort;
    }
  }
  const sorted = (map: ReadonlyMap<string, Traffic>) =>
    [...map].map(([name, traffic]) => ({ name, ...traffic })).toSorted((a, b) => b.bytes - a.bytes);
  return { repositories: sorted(sums.R), principals: sorted(sums.P) };
}
