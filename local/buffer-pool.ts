/** Of one buffer. */
const BUFFER_BYTES = 64 * 1024;

/** In one loan: more would make nothing faster. */
const MOST_IN_A_LOAN = 16;

/** In all loans that are larger than they must be: 32 MiB. */
const MOST_LENT = 512;

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
    return Array.from({ length: count }, () => this.#free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES));
  }

  /** Nobody may use them from now on. */
  giveBack(loan: readonly Buffer[]): void {
    this.#lent -= loan.length;
    for (const buffer of loan) if (this.#free.length < MOST_LENT) this.#free.push(buffer);
  }
}
