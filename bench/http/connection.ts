import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import type { Body } from './body.ts';
import { type Reply, ReplyParser } from './reply-parser.ts';
import type { PreparedRequest, Target } from './request.ts';

/** One buffer per connection is read into again and again, so a download allocates nothing. */
const READ_BUFFER_BYTES = 256 * 1024;
/** A server silent for this long fails the run. The commit of 1 GiB to a slow disk takes a while. */
const SILENCE_MS = 180_000;

interface Pending {
  readonly parser: ReplyParser;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (reason: Error) => void;
}

/** A kept-alive connection: one request at a time, no pipelining, no redirects, no retries. */
export class Connection {
  readonly #socket: Socket;
  #pending: Pending | undefined;
  #failure: Error | undefined;

  private constructor({ host, port }: Target) {
    this.#socket = createConnection({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(READ_BUFFER_BYTES),
        callback: (length, buffer) => this.#read(buffer.subarray(0, length) as Buffer),
      },
    });
    this.#socket.setTimeout(SILENCE_MS, () => this.#socket.destroy(new Error('the server is silent')));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  static async open(target: Target): Promise<Connection> {
    const connection = new Connection(target);
    await once(connection.#socket, 'connect');
    return connection;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Sends `request` and gives its answer, whatever the status. */
  async send(request: PreparedRequest): Promise<Reply> {
    const answered = this.#expectReply(request);
    this.#socket.write(request.head);
    if (request.body !== undefined) {
      await Promise.race([answered, this.#writeBody(request.body)]);
    }
    return answered;
  }

  #expectReply(request: PreparedRequest): Promise<Reply> {
    if (this.#failure !== undefined) {
      throw new Error(`${request.method} ${request.path} on a lost connection`, { cause: this.#failure });
    }
    if (this.#pending !== undefined) {
      throw new Error('a request was sent before the answer to the last one');
    }
    return new Promise((resolve, reject) => {
      this.#pending = {
        parser: new ReplyParser(request.method, request.keep),
        resolve,
        reject: (cause) => reject(new Error(`${request.method} ${request.path} failed`, { cause })),
      };
    });
  }

  /** Stops early where the server answers before the end, which it does to refuse. */
  async #writeBody(body: Body): Promise<void> {
    for (let round = 0; round < body.repeat && this.#pending !== undefined; round++) {
      if (!this.#socket.write(body.block)) {
        await once(this.#socket, 'drain');
      }
    }
    if (body.end.length > 0) {
      this.#socket.write(body.end);
    }
  }

  #read(piece: Buffer): boolean {
    try {
      const reply = this.#pending?.parser.feed(piece);
      if (reply !== undefined) {
        const { resolve } = this.#pending as Pending;
        this.#pending = undefined;
        resolve(reply);
      }
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
    return true;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#pending?.reject(error);
    this.#pending = undefined;
  }
}

/** Opens `count` connections, hands them to `use`, and closes them. */
export async function withConnections<T>(
  target: Target,
  count: number,
  use: (connections: readonly Connection[]) => Promise<T>,
): Promise<T> {
  const opening = Array.from({ length: count }, () => Connection.open(target));
  const connections = await Promise.all(opening);
  try {
    return await use(connections);
  } finally {
    for (const connection of connections) {
      connection.close();
    }
  }
}

/** `withConnections` for one. */
export function withConnection<T>(target: Target, use: (connection: Connection) => Promise<T>): Promise<T> {
  return withConnections(target, 1, ([connection]) => use(connection as Connection));
}
