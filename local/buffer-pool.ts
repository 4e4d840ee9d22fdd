/** A large buffer is what makes a pull fast; a larger one makes it no faster. */
const LARGE_BYTES = 1024 * 1024;
const SMALL_BYTES = 64 * 1024;

/** Of the large ones, in all. */
const MOST_LARGE = 16;

/** Of large ones that nobody has while a client is waited for. */
const MOST_AHEAD = 4;

/** Of either, while nobody has any. */
const MOST_AT_REST = 4;

/** Buffers for what is on its way from a disk to a client. A client who takes nothing keeps its buffer for as long as it likes: so
 *  there are 16 large ones, and whoever comes when these are out has a small one. */
export class BufferPool {
  readonly #large = new Shelf(LARGE_BYTES);
  readonly #small = new Shelf(SMALL_BYTES);
  #ahead = 0;

  /** A buffer for the next bytes of `bytes`, as long as these or shorter. It holds what others have left in it. */
  borrow(bytes: number): Buffer {
    return (this.isShortOf(bytes) || bytes <= SMALL_BYTES ? this.#small : this.#large).take();
  }

  /** Whether so many bytes would have a large buffer, and there is none. */
  isShortOf(bytes: number): boolean {
    return bytes > SMALL_BYTES && this.#large.lent - this.#ahead >= MOST_LARGE;
  }

  /** A large buffer to read ahead into, where there is one; it must be given back before anybody waits for a client. */
  borrowAhead(): Buffer | undefined {
    if (this.#ahead === MOST_AHEAD) return undefined;
    this.#ahead += 1;
    return this.#large.take();
  }

  giveBackAhead(buffer: Buffer): void {
    this.#ahead -= 1;
    this.#large.putBack(buffer);
  }

  /** Nobody may use it from now on. */
  giveBack(buffer: Buffer): void {
    (buffer.length > SMALL_BYTES ? this.#large : this.#small).putBack(buffer);
  }
}

/** Buffers of one size. */
class Shelf {
  lent = 0;
  readonly #bytes: number;
  readonly #free: Buffer[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  take(): Buffer {
    this.lent += 1;
    return this.#free.pop() ?? newBuffer(this.#bytes);
  }

  putBack(buffer: Buffer): void {
    this.lent -= 1;
    this.#free.push(buffer);
    const kept = this.lent === 0 ? MOST_AT_REST : MOST_LARGE;
    for (const spare of this.#free.splice(kept)) freeNow(spare);
  }
}

/** Of memory that the system has back the moment it is freed. What others are made of stays with the process. */
function newBuffer(bytes: number): Buffer {
  return Buffer.from(new ArrayBuffer(bytes, { maxByteLength: bytes }), 0, bytes);
}

/** The garbage collector would wait for more of them, perhaps for ever. */
function freeNow({ buffer }: Buffer): void {
  (buffer as ArrayBuffer).resize(0);
}
