/** Of one buffer. */
const BUFFER_BYTES = 64 * 1024;

/** In one loan: more would make nothing faster. */
const MOST_IN_A_LOAN = 16;

/** In all loans that are larger than they must be: 32 MiB. */
const MOST_LENT = 512;

/** Kept while nothing is lent. */
const MOST_AT_REST = 64;

/** Buffers for what is on its way from a disk to a client. A client who takes nothing keeps its loan for as long as it likes: so
 *  each has a part of what the others have left, and the thousandth has one buffer. */
export class BufferPool {
  readonly #free: Buffer[] = [];
  #lent = 0;

  /** Buffers for the next bytes of `bytes`, at least one. They hold what others have left in them. */
  borrow(bytes: number): Buffer[] {
    const share = Math.floor((MOST_LENT - this.#lent) / MOST_IN_A_LOAN);
    const count = Math.min(Math.ceil(bytes / BUFFER_BYTES), MOST_IN_A_LOAN, Math.max(1, share));
    this.#lent += count;
    return Array.from({ length: count }, () => this.#free.pop() ?? newBuffer());
  }

  /** Nobody may use them from now on. */
  giveBack(loan: readonly Buffer[]): void {
    this.#lent -= loan.length;
    this.#free.push(...loan);
    const kept = this.#lent === 0 ? MOST_AT_REST : MOST_LENT;
    for (const buffer of this.#free.splice(kept)) freeNow(buffer);
  }
}

/** Of memory that the system has back the moment it is freed. What others are made of stays with the process. */
function newBuffer(): Buffer {
  return Buffer.from(new ArrayBuffer(BUFFER_BYTES, { maxByteLength: BUFFER_BYTES }), 0, BUFFER_BYTES);
}

/** The garbage collector would wait for more of them, perhaps for ever. */
function freeNow({ buffer }: Buffer): void {
  (buffer as ArrayBuffer).resize(0);
}
