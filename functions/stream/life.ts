import { atMost, equals, type Table } from '../storage/table.ts';
import { type HostItem, HostRecord } from './host-item.ts';
import { IDLE_MS, isTooLong, LEASE_MS } from './times.ts';

interface HostLifeOptions {
  readonly table: Table;
  /** The id of the instance that it runs on. */
  readonly instance: string;
  readonly now: () => number;
}

/** What the stream host does on its own behalf: says that it is there, and goes when nobody needs it. Both answer whether it stays;
 *  who does not has to switch itself off. */
export class HostLife {
  readonly #record: HostRecord;
  readonly #now: () => number;
  #busyAt: number;

  constructor({ table, instance, now }: HostLifeOptions) {
    this.#record = new HostRecord(table, instance);
    this.#now = now;
    this.#busyAt = now();
  }

  /** Once it can be asked. Whoever runs is running, whatever was thought of it; but who was about to go, goes. */
  async begin(): Promise<boolean> {
    for (;;) {
      const seen = await this.#record.read();
      if (seen.state === 'stopping') return false;
      const now = this.#now();
      // The first start of a new instance is nobody's doing, and needs no start of its own right after.
      const until = seen.generation === 0 ? Math.max(seen.until, now + LEASE_MS) : seen.until;
      if (await this.#record.change(seen, { state: 'running', since: now, beat: now, until })) return true;
    }
  }

  /** Every `BEAT_MS`; `isBusy` says whether there was a request since the last time. */
  async beat(isBusy: boolean): Promise<boolean> {
    const seen = await this.#record.read();
    const now = this.#now();
    if (isBusy) this.#busyAt = now;
    if (seen.state !== 'running') return this.begin();
    if (now - this.#busyAt >= IDLE_MS && (await this.#leave(seen, now))) return false;
    await this.#say(seen, now, isBusy);
    return true;
  }

  /** Fails where an upload was let in meanwhile. */
  async #leave(seen: HostItem, now: number): Promise<boolean> {
    const going = { state: 'stopping', since: now } as const;
    return Boolean(await this.#record.change(seen, going, [atMost('until', now - 1)]));
  }

  /** An upload that takes long keeps the lease from ending under it; a lease that somebody writes at the same time is theirs. One that a
   *  clock has given which was ahead is given anew. */
  async #say(seen: HostItem, now: number, isBusy: boolean): Promise<void> {
    const until = now + LEASE_MS;
    const isShort = isBusy && seen.until < now + LEASE_MS / 2;
    const isWrong = isTooLong(seen.until, now);
    const prolonged =
      (isShort || isWrong) &&
      (await this.#record.change(seen, { beat: now, until }, [equals('until', seen.until)]));
    if (!prolonged) await this.#record.change(seen, { beat: now });
  }
}
