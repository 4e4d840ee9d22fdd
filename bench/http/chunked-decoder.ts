const LINE_FEED = 10;

/** Undoes `Transfer-Encoding: chunked`, over pieces cut anywhere. */
export class ChunkedDecoder {
  #line = '';
  #left = 0;
  #phase: 'chunks' | 'trailer' | 'done' = 'chunks';

  get done(): boolean {
    return this.#phase === 'done';
  }

  /** Calls `take` with the content in `piece`; the rest of it is framing. */
  feed(piece: Buffer, take: (content: Buffer) => void): void {
    let at = 0;
    while (at < piece.length && !this.done) {
      at = this.#left > 0 ? this.#content(piece, at, take) : this.#framing(piece, at);
    }
  }

  #content(piece: Buffer, at: number, take: (content: Buffer) => void): number {
    const end = Math.min(piece.length, at + this.#left);
    this.#left -= end - at;
    take(piece.subarray(at, end));
    return end;
  }

  #framing(piece: Buffer, at: number): number {
    const end = piece.indexOf(LINE_FEED, at);
    this.#line += piece.toString('latin1', at, end < 0 ? piece.length : end);
    if (end < 0) {
      return piece.length;
    }
    this.#endOfLine(this.#line.trim());
    this.#line = '';
    return end + 1;
  }

  /** An empty line ends a chunk's content, or the trailer. */
  #endOfLine(line: string): void {
    if (this.#phase === 'chunks' && line !== '') {
      this.#left = Number.parseInt(line, 16);
      this.#phase = this.#left === 0 ? 'trailer' : 'chunks';
    } else if (this.#phase === 'trailer' && line === '') {
      this.#phase = 'done';
    }
  }
}
