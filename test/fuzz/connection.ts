import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A client that writes bytes of its own choosing. Answers are read in the order they come. */
export class Connection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
    });
    socket.on('error', () => {
      this.#closed = true;
    });
    socket.on('close', () => {
      this.#closed = true;
    });
  }

  static async open(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new Connection(socket);
  }

  /** Resolves once the bytes are handed to the system; never fails, as the server may have hung up. */
  async write(...pieces: readonly (string | Uint8Array)[]): Promise<void> {
    for (const piece of pieces) {
      if (this.#closed) return;
      await new Promise<void>((resolve) => {
        this.#socket.write(piece, () => resolve());
      });
    }
  }

  /** Hangs up in the middle of whatever is being sent, with a reset. */
  cut(): void {
    this.#socket.resetAndDestroy();
  }

  /** The next answer, or `undefined` when the server closed the connection instead of giving one. */
  async answer(): Promise<RawAnswer | undefined> {
    for (;;) {
      const answer = this.#take();
      if (answer !== undefined) return answer;
      if (this.#closed) return undefined;
      await Promise.race([once(this.#socket, 'data'), once(this.#socket, 'close')]);
    }
  }

  /** Takes one whole answer off what was received. The server is trusted to send a Content-Length. */
  #take(): RawAnswer | undefined {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [statusLine = '', ...lines] = this.#received.subarray(0, end).toString('latin1').split('\r\n');
    const headers = new Map(
      lines.map((line) => [line.replace(/:.*/, '').toLowerCase(), line.replace(/^[^:]*: */, '')]),
    );
    const stop = end + 4 + Number(headers.get('content-length') ?? 0);
    if (this.#received.length < stop) return undefined;
    const body = this.#received.subarray(end + 4, stop).toString();
    this.#received = this.#received.subarray(stop);
    return { status: Number(statusLine.split(' ')[1]), headers, body };
  }
}
