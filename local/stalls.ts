import type { ServerResponse } from 'node:http';
import type { Visitor } from './gate.ts';

/** How often answers are looked at, within the time that a client may take nothing of one. */
const LOOKS = 6;

/** Looks whose clients have stopped to take their answers. Who only takes them slowly has not. */
export class Stalls {
  readonly #answers = new Map<ServerResponse, { bytes: number; since: number }>();
  readonly #timer: NodeJS.Timeout;

  constructor(stallMs: number) {
    this.#timer = setInterval(() => this.#look(), stallMs / LOOKS).unref();
  }

  watch(outgoing: ServerResponse): void {
    this.#answers.set(outgoing, { bytes: writtenOf(outgoing), since: performance.now() });
    outgoing.once('close', () => this.#answers.delete(outgoing));
  }

  /** For how many milliseconds nothing was taken of what there is of an answer, as far as that has been looked at. */
  stalledMs(outgoing: ServerResponse): number {
    const { since = Number.POSITIVE_INFINITY } = this.#answers.get(outgoing) ?? {};
    return Math.max(performance.now() - since, 0);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    for (const [outgoing, seen] of this.#answers) {
      const bytes = writtenOf(outgoing);
      if (bytes !== seen.bytes || outgoing.writableLength === 0) Object.assign(seen, { bytes, since: now });
    }
  }
}

/** What the kernel has taken: its own buffers make room in large steps. */
const writtenOf = ({ socket, writableLength }: ServerResponse) =>
  (socket?.bytesWritten ?? 0) - writableLength;

/** Those whose clients have stopped for long enough, by address. */
export class Stalled {
  readonly #ofAddress = new Map<string | undefined, Visitor[]>();

  constructor(visitors: Iterable<Visitor>, stallMs: number) {
    for (const visitor of visitors) {
      if (visitor.stalledMs < stallMs) continue;
      const those = this.#ofAddress.get(visitor.address);
      if (those) those.push(visitor);
      else this.#ofAddress.set(visitor.address, [visitor]);
    }
    for (const those of this.#ofAddress.values()) those.sort((one, other) => one.stalledMs - other.stalledMs);
  }

  /** The one that has for longest, of an address. */
  takeOf(address: string | undefined): Visitor | undefined {
    return this.#ofAddress.get(address)?.pop();
  }

  /** The one that has for longest, of the address that has most of them. */
  take(): Visitor | undefined {
    let most: Visitor[] = [];
    for (const those of this.#ofAddress.values()) if (those.length > most.length) most = those;
    return most.pop();
  }
}
