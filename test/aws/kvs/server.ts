import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { type Credentials, isSigned } from './signature.ts';

/** What becomes of one call: it waits, fails without effect, or takes effect and its answer is lost. */
export type KvsFault =
  | { readonly delayMs: number }
  | {
      readonly code:
        | 'InternalServerException'
        | 'AccessDeniedException'
        | 'ConflictException'
        | 'ResourceNotFoundException';
    }
  | 'answer lost';

export interface KvsServer {
  readonly url: string;
  /** Of the one store that is here. */
  readonly arn: string;
  /** Operations in the order of their arrival. */
  readonly calls: readonly string[];
  /** What the store holds; read at will, and written by clients or `put`. */
  readonly values: ReadonlyMap<string, string>;
  /** Writes as somebody else would: the store has another version then. */
  put(key: string, value: string): void;
  /** Makes the store as empty as a new one. */
  clear(): void;
  close(): Promise<void>;
}

interface KvsServerOptions {
  /** Whose requests are accepted. @default those of anybody, if they are signed for this service at all */
  readonly credentials?: Credentials;
  /** Called for each request, before its effect. */
  readonly before?: (operation: string) => KvsFault | undefined | Promise<KvsFault | undefined>;
}

/** An error as CloudFront's KeyValueStore answers it. */
class KvsError extends Error {
  readonly code: keyof typeof STATUS;

  constructor(code: keyof typeof STATUS, message: string) {
    super(message);
    this.code = code;
  }
}

const STATUS = {
  ValidationException: 400,
  ServiceQuotaExceededException: 402,
  AccessDeniedException: 403,
  ResourceNotFoundException: 404,
  ConflictException: 409,
  InternalServerException: 500,
} as const;

const ARN = 'arn:aws:cloudfront::123456789012:key-value-store/6c9a2f1e-0000-4000-8000-00000000kvs1';

/** https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html */
const MAX_KEY_BYTES = 512;
const MAX_VALUE_BYTES = 1024;

/** As long as connections of the SDK stay idle. */
const KEEP_ALIVE_MS = 60_000;

interface Answer {
  readonly body: object;
  readonly etag?: string;
}

/** One store: a map, and a version that every write changes and must name. */
class Store {
  readonly values = new Map<string, string>();
  #version = 1;

  get etag(): string {
    return `KV${this.#version}`;
  }

  put(key: string, value: string): void {
    this.values.set(key, value);
    this.#version += 1;
  }

  clear(): void {
    this.values.clear();
    this.#version += 1;
  }

  summary() {
    const bytes = [...this.values].map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value));
    return { ItemCount: this.values.size, TotalSizeInBytes: bytes.reduce((sum, each) => sum + each, 0) };
  }

  describe(): Answer {
    const body = { ...this.summary(), KvsARN: ARN, Created: Math.floor(Date.now() / 1000), Status: 'READY' };
    return { body, etag: this.etag };
  }

  get(key: string): Answer {
    const Value = this.values.get(key);
    if (Value === undefined) throw new KvsError('ResourceNotFoundException', 'Key not found.');
    return { body: { Key: key, Value, ...this.summary() } };
  }

  putIf(match: string | undefined, puts: readonly [key: string, value: unknown][]): Answer {
    if (match === undefined) throw new KvsError('ValidationException', 'If-Match is required.');
    for (const [key, value] of puts) requireFit(key, value);
    if (match !== this.etag) throw new KvsError('ConflictException', 'The store has another version.');
    for (const [key, value] of puts) this.put(key, `${value}`);
    return { body: this.summary(), etag: this.etag };
  }
}

function requireFit(key: string, value: unknown): void {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES)
    throw new KvsError('ValidationException', 'The key is too long.');
  if (typeof value !== 'string') throw new KvsError('ValidationException', 'Value is required.');
  if (Buffer.byteLength(value) > MAX_VALUE_BYTES) {
    throw new KvsError('ValidationException', 'The value is longer than 1 KB.');
  }
}

interface Put {
  readonly Key: string;
  readonly Value: unknown;
}

/** The operation that a request is, and what it does. */
function operationOf({ method, url, headers }: IncomingMessage) {
  const [, root, arn = '', keys, key] = (url ?? '').split('/').map(decodeURIComponent);
  if (root !== 'key-value-stores') return undefined;
  const found = (run: (store: Store, input: string) => Answer, name: string) => ({ name, arn, run });
  const match = headers['if-match'];
  if (method === 'GET' && keys === undefined)
    return found((store) => store.describe(), 'DescribeKeyValueStore');
  if (keys !== 'keys') return undefined;
  if (method === 'POST' && key === undefined) {
    return found((store, input) => {
      const { Puts = [] } = JSON.parse(input) as { Puts?: readonly Put[] };
      return store.putIf(
        match,
        Puts.map(({ Key, Value }) => [Key, Value]),
      );
    }, 'UpdateKeys');
  }
  if (key === undefined) return undefined;
  if (method === 'GET') return found((store) => store.get(key), 'GetKey');
  if (method !== 'PUT') return undefined;
  return found((store, input) => {
    const { Value } = JSON.parse(input) as { Value?: unknown };
    return store.putIf(match, [[key, Value]]);
  }, 'PutKey');
}

async function suffer(fault: KvsFault | undefined): Promise<void> {
  if (typeof fault !== 'object') return;
  if ('code' in fault) throw new KvsError(fault.code, 'A fault that was asked for.');
  await delay(fault.delayMs);
}

/** The data plane of CloudFront's KeyValueStore, with one store in memory. It takes requests that are signed with
 *  SigV4A for this service, and writes only on the condition of the version that they name. */
export async function startKvs({ credentials, before }: KvsServerOptions = {}): Promise<KvsServer> {
  const store = new Store();
  const calls: string[] = [];

  async function perform(request: IncomingMessage): Promise<Answer> {
    const input = await text(request);
    if (!isSigned(request, input, credentials)) {
      throw new KvsError('AccessDeniedException', 'The request is not signed for this service.');
    }
    const operation = operationOf(request);
    if (!operation)
      throw new KvsError('ValidationException', `There is no ${request.method} ${request.url}.`);
    calls.push(operation.name);
    const fault = await before?.(operation.name);
    await suffer(fault);
    if (operation.arn !== ARN) throw new KvsError('ResourceNotFoundException', 'There is no such store.');
    const answer = operation.run(store, input);
    if (fault === 'answer lost') request.socket.destroy();
    return answer;
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    perform(request).then(
      ({ body, etag }) => send(response, 200, body, etag && { ETag: etag }),
      (error: unknown) => sendError(response, error),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    arn: ARN,
    calls,
    values: store.values,
    put: (key, value) => store.put(key, value),
    clear: () => store.clear(),
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function sendError(response: ServerResponse, error: unknown): void {
  const { code, message } =
    error instanceof KvsError ? error : new KvsError('InternalServerException', `${error}`);
  send(response, STATUS[code], { Message: message }, { 'x-amzn-ErrorType': code });
}

function send(response: ServerResponse, status: number, body: object, headers: object | '' = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...(headers || {}) });
  response.end(JSON.stringify(body));
}
