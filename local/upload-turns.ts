import { setTimeout as sleep } from 'node:timers/promises';
import { bodyTooSlow } from '../functions/oci/errors.ts';
import type { Body, ObjectKey } from '../functions/storage/blob-store.ts';

/** One request at a time writes to an upload. A client that has lost its connection sends again, while this host may not learn for
 *  minutes that the first one has gone: so a writer whose client is silent gives way to the next. */
export class UploadTurns {
  readonly #turns = new Map<ObjectKey, Turn>();
  readonly #silenceMs: number;

  /** `silenceMs`: how long a writer may wait for its client while another one waits for its turn; 0 for ever. */
  constructor(silenceMs: number) {
    this.#silenceMs = silenceMs;
  }

  /** A turn; `undefined` where another request writes, and goes on to. */
  async take(objectKey: ObjectKey): Promise<Turn | undefined> {
    const before = this.#turns.get(objectKey);
    if (before && !(await before.givesWay(this.#silenceMs))) return undefined;
    if (this.#turns.has(objectKey)) return undefined; // somebody was faster
    const turn = new Turn(() => this.#turns.delete(objectKey));
    this.#turns.set(objectKey, turn);
    return turn;
  }
}

/** The time in which one request writes to an upload. */
export class Turn {
  readonly #over = Promise.withResolvers<void>();
  readonly #onEnd: () => void;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #received = 0;
  #isCut = false;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  end(): void {
    this.#onEnd();
    this.#over.resolve();
  }

  /** The chunks of the request's body. Fails where the client is silent and another request takes the turn. */
  async *chunks(body: Body): AsyncGenerator<Uint8Array> {
    const reader = body.getReader();
    try {
      for (;;) {
        this.#reader = reader;
        const { done, value } = await reader.read();
        this.#reader = undefined;
        if (this.#isCut) throw bodyTooSlow();
        if (done) return;
        this.#received += value.length;
        yield value;
      }
    } finally {
      void reader.cancel().catch(() => undefined); // where it has failed, or is not read on
    }
  }

  /** Whether it was ended, since its client was silent for so long. One that ends by itself leaves the upload as another request
   *  has not seen it. */
  async givesWay(silenceMs: number): Promise<boolean> {
    if (silenceMs === 0) return false;
    const received = this.#received;
    const enough = new AbortController();
    const isOver = await Promise.race([
      this.#over.promise.then(() => true),
      sleep(silenceMs, false, { ref: false, signal: enough.signal }).catch(() => false),
    ]);
    enough.abort();
    if (isOver || !this.#reader || this.#received > received) return false;
    this.#isCut = true;
    void this.#reader.cancel().catch(() => undefined);
    await this.#over.promise;
    return true;
  }
}
