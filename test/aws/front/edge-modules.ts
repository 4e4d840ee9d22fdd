import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import querystring from 'node:querystring';
import { FRONT_STORE_KEY } from '../../../functions/environment.ts';

// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html#writing-functions-javascript-features-builtin-modules-20

const HASHES = ['md5', 'sha1', 'sha256'];
const DIGEST_ENCODINGS = ['hex', 'base64', 'base64url'];
const BUFFER_ENCODINGS = ['utf8', ...DIGEST_ENCODINGS];

/** CloudFront's: a value of a KeyValueStore. */
const MAX_STORE_VALUE_BYTES = 1024;

export interface CloudFrontModule {
  /** The text under the one key of the store. */
  readonly kvs: () => Promise<string | undefined>;
  /** Throws where the event has no origin to choose, or has none of that id. */
  readonly select: (id: unknown) => void;
  /** Makes an object of the function's own world of a JSON text. */
  readonly parse: (text: string) => unknown;
}

/** What a function may import, by name. */
export function modulesOf(options: CloudFrontModule): ReadonlyMap<string, object> {
  return new Map<string, object>([
    ['buffer', { Buffer: BUFFER }],
    ['cloudfront', cloudFront(options)],
    ['crypto', CRYPTO],
    ['querystring', QUERYSTRING],
  ]);
}

function cloudFront({ kvs, select, parse }: CloudFrontModule): object {
  const read = async (key: unknown) => {
    const text = key === FRONT_STORE_KEY ? await kvs() : undefined;
    if (text !== undefined && Buffer.byteLength(text) > MAX_STORE_VALUE_BYTES) {
      throw new Error(`the value under ${key} is over ${MAX_STORE_VALUE_BYTES} bytes`);
    }
    return text;
  };
  const get = async (key: unknown, { format = 'string' }: { format?: string } = {}) => {
    const text = await read(key);
    if (text === undefined) throw new Error(`KeyNotFound: ${key}`);
    if (format === 'bytes') return BUFFER.from(text);
    return format === 'json' ? parse(text) : text;
  };
  const exists = async (key: unknown) => (await read(key)) !== undefined;
  return Object.freeze({ kvs: () => Object.freeze({ get, exists }), selectRequestOriginById: select });
}

const CRYPTO = Object.freeze({
  createHash: (name: string) => digester(createHash(oneOf(HASHES, name))),
  createHmac: (name: string, key: string | Uint8Array) => digester(createHmac(oneOf(HASHES, name), key)),
});

interface Digester {
  readonly update: (data: string | Uint8Array) => Digester;
  readonly digest: (encoding?: string) => string | Buffer;
}

function digester(hash: Hash | Hmac): Digester {
  const self: Digester = Object.freeze({
    update(data: string | Uint8Array) {
      hash.update(data);
      return self;
    },
    digest: (encoding?: string) =>
      encoding === undefined
        ? guarded(hash.digest())
        : hash.digest(oneOf(DIGEST_ENCODINGS, encoding) as 'hex'),
  });
  return self;
}

const { escape: escaped, parse, stringify, unescape: unescaped } = querystring;
const QUERYSTRING = Object.freeze({
  escape: escaped,
  unescape: unescaped,
  parse,
  decode: parse,
  stringify,
  encode: stringify,
});

/** The module's functions; of encodings it knows four. */
export const BUFFER = Object.freeze({
  alloc: (size: number) => guarded(Buffer.alloc(size)),
  byteLength: (value: string | Buffer, encoding = 'utf8') => Buffer.byteLength(value, encodingOf(encoding)),
  compare: (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other),
  concat: (list: readonly Uint8Array[], length?: number) => guarded(Buffer.concat(list, length)),
  from: (value: string | readonly number[], encoding = 'utf8') =>
    guarded(typeof value === 'string' ? Buffer.from(value, encodingOf(encoding)) : Buffer.from(value)),
  isBuffer: (value: unknown) => Buffer.isBuffer(value),
  isEncoding: (encoding: string) => BUFFER_ENCODINGS.includes(encoding),
});

const encodingOf = (encoding: string) => oneOf(BUFFER_ENCODINGS, encoding) as BufferEncoding;

function guarded(buffer: Buffer): Buffer {
  const text = (encoding = 'utf8', start?: number, end?: number) =>
    Buffer.prototype.toString.call(buffer, encodingOf(encoding), start, end);
  return Object.defineProperty(buffer, 'toString', { value: text });
}

function oneOf(known: readonly string[], text: string): string {
  if (!known.includes(text)) throw new TypeError(`${text} is none of ${known.join(', ')}`);
  return text;
}
