import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Call, header } from './call.ts';
import { notImplemented, S3Error } from './s3-error.ts';

const BYTES = { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 } as const;

export type Algorithm = keyof typeof BYTES;
export const ALGORITHMS = Object.keys(BYTES) as Algorithm[];

export interface Checksum {
  readonly algorithm: Algorithm;
  /** In base64; a composite one ends in `-` and the number of parts. */
  readonly value: string;
  readonly type: 'FULL_OBJECT' | 'COMPOSITE';
}

/** What a request promises; without a value, that comes in a trailer. */
export interface DeclaredChecksum {
  readonly algorithm: Algorithm;
  readonly value?: string;
}

export interface Hasher {
  update(bytes: Uint8Array): unknown;
  digest(): Buffer;
}

const CRC32C_TABLE = new Uint32Array(256).map((_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

function crc32c(bytes: Uint8Array, before: number): number {
  let value = ~before;
  for (const byte of bytes) value = (CRC32C_TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return ~value >>> 0;
}

function crcHasher(next: (bytes: Uint8Array, before: number) => number): Hasher {
  let value = 0;
  const digest = () => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  return {
    digest,
    update(bytes) {
      value = next(bytes, value);
    },
  };
}

export function hasherOf(algorithm: Algorithm | 'MD5'): Hasher {
  switch (algorithm) {
    case 'CRC32':
      return crcHasher(crc32);
    case 'CRC32C':
      return crcHasher(crc32c);
    case 'CRC64NVME':
      throw notImplemented('x-amz-checksum-crc64nvme');
    case 'MD5':
    case 'SHA1':
    case 'SHA256':
      return createHash(algorithm);
  }
}

export const checksumHeader = (algorithm: Algorithm) => `x-amz-checksum-${algorithm.toLowerCase()}`;

export function algorithmOf(name: string | undefined): Algorithm | undefined {
  return ALGORITHMS.find((algorithm) => algorithm === name?.toUpperCase());
}

/** The one checksum in a request's headers. In a query S3 ignores it, and so does this. */
export function declaredChecksum(call: Call): DeclaredChecksum | undefined {
  const sent = Object.keys(call.headers).filter((name) => isChecksumHeader(name));
  const trailer = header(call, 'x-amz-trailer')?.trim().toLowerCase();
  const names = trailer === undefined ? sent : [...sent, trailer];
  if (names.length > 1) {
    throw invalidChecksum(
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
  }
  const [name] = names;
  if (name === undefined) return;
  const algorithm = algorithmOf(name.replace('x-amz-checksum-', ''));
  if (!algorithm) throw notImplemented(name);
  const value = header(call, name);
  return value === undefined ? { algorithm } : { algorithm, value: requireChecksum(algorithm, value) };
}

const NOT_A_VALUE = new Set(['x-amz-checksum-mode', 'x-amz-checksum-algorithm', 'x-amz-checksum-type']);

const isChecksumHeader = (name: string) => name.startsWith('x-amz-checksum-') && !NOT_A_VALUE.has(name);

/** The value, if it is base64 of as many bytes as the algorithm has. */
export function requireChecksum(algorithm: Algorithm, value: string): string {
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length !== BYTES[algorithm] || bytes.toString('base64') !== value) {
    throw invalidChecksum(`Value for ${checksumHeader(algorithm)} header is invalid.`);
  }
  return value;
}

const invalidChecksum = (message: string) => new S3Error('InvalidRequest', message);

export const badDigest = (algorithm: Algorithm | 'Content-MD5') =>
  new S3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`);
