import { ChunkedDecoder } from './chunked-decoder.ts';

const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const END_OF_HEAD = '\r\n\r\n';

export interface Reply {
  readonly status: number;
  /** Status line and headers, as received. */
  readonly head: string;
  readonly bodyBytes: number;
  /** Empty unless the request asked for it or the status is an error. */
  readonly body: Buffer;
}

/** The value of the first header of that name, or `undefined`. */
export function header(reply: Reply, name: string): string | undefined {
  return new RegExp(`\r\n${name}: *([^\r\n]*)`, 'i').exec(reply.head)?.[1];
}

/** Reads one HTTP/1.1 answer from pieces cut anywhere. It knows what the two servers send and no more:
 *  bodies with a length or chunked, no informational answers, nothing after the end. */
export class ReplyParser {
  readonly #isHead: boolean;
  readonly #keep: boolean;
  #unparsed: Buffer | undefined;
  #head: string | undefined;
  #status = 0;
  #left = 0;
  #decoder: ChunkedDecoder | undefined;
  #bodyBytes = 0;
  readonly #kept: Buffer[] = [];

  constructor(method: string, keep: boolean) {
    this.#isHead = method === 'HEAD';
    this.#keep = keep;
  }

  /** The answer, once `piece` completes it. `piece` may be overwritten afterwards. */
  feed(piece: Buffer): Reply | undefined {
    const head = this.#head;
    if (head === undefined) {
      return this.#feedHead(piece);
    }
    this.#feedBody(piece);
    return this.#reply(head);
  }

  #feedHead(piece: Buffer): Reply | undefined {
    const bytes = this.#unparsed === undefined ? piece : Buffer.concat([this.#unparsed, piece]);
    const end = bytes.indexOf(END_OF_HEAD);
    if (end < 0) {
      this.#unparsed = Buffer.from(bytes);
      return undefined;
    }
    const head = bytes.toString('latin1', 0, end);
    this.#startBody(head);
    this.#feedBody(bytes.subarray(end + END_OF_HEAD.length));
    return this.#reply(head);
  }

  #startBody(head: string): void {
    this.#head = head;
    this.#status = Number(head.slice(9, 12));
    if (this.#isHead || this.#status === 204 || this.#status === 304) {
      return;
    }
    const length = CONTENT_LENGTH.exec(head);
    if (length !== null) {
      this.#left = Number(length[1]);
    } else if (CHUNKED.test(head)) {
      this.#decoder = new ChunkedDecoder();
    } else {
      throw new Error(`an answer with neither a length nor chunks: ${head}`);
    }
  }

  #feedBody(piece: Buffer): void {
    if (this.#decoder !== undefined) {
      this.#decoder.feed(piece, (content) => this.#take(content));
      return;
    }
    if (piece.length > this.#left) {
      throw new Error(`${piece.length - this.#left} bytes after the end of an answer: ${this.#head}`);
    }
    this.#left -= piece.length;
    this.#take(piece);
  }

  #take(content: Buffer): void {
    this.#bodyBytes += content.length;
    if (this.#keep || this.#status >= 400) {
      this.#kept.push(Buffer.from(content));
    }
  }

  #reply(head: string): Reply | undefined {
    const complete = this.#decoder === undefined ? this.#left === 0 : this.#decoder.done;
    if (!complete) {
      return undefined;
    }
    return { status: this.#status, head, bodyBytes: this.#bodyBytes, body: Buffer.concat(this.#kept) };
  }
}
