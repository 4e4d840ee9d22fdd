import { connect, type Socket } from 'node:net';

/** A client that sends what it is given, and then no more than it is told to. */
export class SlowClient {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #received = '';
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#received += bytes.toString('latin1');
    });
    socket.on('error', () => undefined); // told by 'close', which follows
    this.#closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#isClosed = true;
        resolve();
      });
    });
  }

  /** Connects and sends; resolves when the connection stands, or is refused. */
  static async open(url: string, ...pieces: readonly (string | Uint8Array)[]): Promise<SlowClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const client = new SlowClient(socket);
    for (const piece of pieces) socket.write(piece);
    await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), client.closed()]);
    return client;
  }

  /** Many of them, a few at a time. */
  static async crowd(
    count: number,
    openOne: (number: number) => Promise<SlowClient>,
  ): Promise<readonly SlowClient[]> {
    const clients: SlowClient[] = [];
    for (let n = 0; n < count; n += 1) clients.push(await openOne(n));
    return clients;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The status of the first answer; `undefined` where there is none yet. */
  get status(): number | undefined {
    const [, status] =
      /^HTTP\/1\.1 (\d{3}) /.exec(this.#received.replace(/^HTTP\/1\.1 100 .*?\r\n\r\n/s, '')) ?? [];
    return status === undefined ? undefined : Number(status);
  }

  /** All that has been answered. */
  get received(): string {
    return this.#received;
  }

  send(piece: string | Uint8Array): void {
    if (!this.#isClosed) this.#socket.write(piece);
  }

  /** Reads nothing more. */
  stopReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  /** Takes so many bytes, and stops again. */
  sip(bytes: number): void {
    const until = this.#socket.bytesRead + bytes;
    const stop = () => {
      if (this.#socket.bytesRead < until) return;
      this.#socket.pause();
      this.#socket.off('data', stop);
    };
    this.#socket.on('data', stop);
    this.#socket.resume();
  }

  /** Resolves when the registry has the head of a request that expects 100-continue. */
  async continued(): Promise<void> {
    await this.receives(/^HTTP\/1\.1 100 /);
  }

  /** Resolves with what fits the pattern in all that is answered. */
  async receives(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.#received);
      if (found) return found;
      if (this.#isClosed) throw new Error(`closed after ${this.#received}`);
      await Promise.race([new Promise((resolve) => this.#socket.once('data', resolve)), this.#closed]);
    }
  }

  /** Resolves when the registry has closed the connection. */
  closed(): Promise<void> {
    return this.#closed;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** The head of a request, with a length that its body need not keep. */
export function head(line: string, headers: Readonly<Record<string, string | number>> = {}): string {
  const all = { Host: 'localhost', ...headers };
  return `${line} HTTP/1.1\r\n${Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;
}
