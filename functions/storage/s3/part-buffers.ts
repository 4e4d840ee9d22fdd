/** Ours: how many buffers may be on their way or filling beyond one for each upload before uploads wait for what they
 *  have sent. Keeps eight layers at once far below what a host of 512 MiB has. */
const MAX_IN_USE = 8;

/** Ours: emptied buffers that wait to be filled again. */
const MAX_IDLE = 8;

/** The memory that parts are gathered in. Buffers are filled again and again: new ones at the rate that a layer comes
 *  in would grow faster than they are collected. Memory that nothing was written to takes no room. */
export class PartBuffers {
  readonly #idle: Buffer[] = [];
  #inUse = 0;

  /** A buffer of that many bytes, with whatever was in it. */
  take(size: number): Buffer {
    this.#inUse += 1;
    const at = this.#idle.findIndex(({ length }) => length === size);
    return at < 0 ? Buffer.allocUnsafeSlow(size) : (this.#idle.splice(at, 1)[0] as Buffer);
  }

  /** Takes one back that nobody reads any more. */
  release(buffer: Buffer): void {
    this.#inUse -= 1;
    if (this.#idle.length < MAX_IDLE) this.#idle.push(buffer);
  }

  /** Whether an upload may fill a buffer while another one of its own is on its way. */
  get isAmple(): boolean {
    return this.#inUse < MAX_IN_USE;
  }
}
