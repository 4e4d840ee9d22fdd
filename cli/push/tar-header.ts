import { Failure } from '../failure.ts';

/** Tar counts in blocks of this many bytes. */
export const BLOCK = 512;

/** What one header block says. */
export interface Header {
  readonly name: string;
  readonly link: string;
  /** Bytes that follow, not rounded up to blocks. */
  readonly size: number;
  readonly kind: Kind;
}

/** `names` and `extension` tell more about the entry that follows them. */
type Kind = 'file' | 'hard link' | 'symbolic link' | 'long name' | 'long link' | 'extension' | 'other';

const KINDS: Readonly<Record<string, Kind>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hard link',
  '2': 'symbolic link',
  L: 'long name',
  K: 'long link',
  x: 'extension',
};

/** Links, devices and folders: nothing follows them, whatever their size says. */
const EMPTY = /[1-6]/;

/** Reads a header block; `undefined` for the empty block that ends an archive.
 *  https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06 */
export function parseHeader(block: Buffer): Header | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (number(block, 148, 8) !== checksum(block)) throw new Failure('it is no tar archive, or a damaged one');
  const flag = String.fromCharCode(block[156] ?? 0);
  // GNU's own format keeps other things where POSIX has the prefix.
  const prefix = text(block, 257, 8) === 'ustar' ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: text(block, 157, 100),
    size: EMPTY.test(flag) ? 0 : number(block, 124, 12),
    kind: KINDS[flag] ?? 'other',
  };
}

/** The sum of all bytes, with the sum itself taken for spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (const [index, byte] of block.entries()) if (index < 148 || index >= 156) sum += byte;
  return sum;
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
}

/** In octal digits, or GNU's way for what those cannot hold: binary, marked by the first bit. */
function number(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  const value =
    first & 0x80
      ? Number(BigInt(`0x${block.toString('hex', start + 1, start + length)}`))
      : Number.parseInt(text(block, start, length).trim() || '0', 8);
  if (Number.isSafeInteger(value)) return value;
  throw new Failure('it is no tar archive, or a damaged one');
}

/** What an extension says of the entry after it: `27 path=…` and so on. */
export function parseExtension(bytes: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const length = Number.parseInt(bytes.toString('latin1', at, at + 20), 10);
    if (!(length > 0)) break;
    const record = bytes.toString('utf8', at, at + length - 1);
    const [, key, value] = /^\d+ ([^=]+)=(.*)$/s.exec(record) ?? [];
    if (key !== undefined && value !== undefined) records.set(key, value);
    at += length;
  }
  return records;
}
