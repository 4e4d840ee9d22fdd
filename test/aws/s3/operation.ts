import type { RequestBody } from './body.ts';
import { type Call, header, queryValue } from './call.ts';
import { type Checksum, checksumHeader } from './checksums.ts';
import { invalidArgument, notImplemented, S3Error } from './s3-error.ts';
import type { Signed } from './signature.ts';
import type { Store, StoredObject } from './store.ts';

/** What an operation works on and with. */
export interface Context {
  readonly call: Call;
  readonly signed: Signed;
  readonly body: RequestBody;
  readonly store: Store;
  readonly bucket: string;
  readonly now: () => Date;
  readonly repeatsCompletions: boolean;
  /** Tells of an object that has just come to be. */
  created(object: StoredObject): void;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: string | AsyncIterable<Uint8Array>;
}

const KEPT_HEADERS = ['cache-control', 'content-disposition', 'content-language', 'content-type', 'expires'];
const MAX_METADATA_BYTES = 2048;
const ENCRYPTIONS = ['AES256', 'aws:kms', 'aws:kms:dsse'];

/** What every object is here. */
const STANDARD: Readonly<Record<string, string>> = {
  'x-amz-acl': 'private',
  'x-amz-storage-class': 'STANDARD',
};

/** Headers that would change what is stored, and that this server would silently drop. */
const REFUSED_HEADERS = [
  'x-amz-acl',
  'x-amz-copy-source-if-',
  'x-amz-grant-',
  'x-amz-object-lock-',
  'x-amz-server-side-encryption-customer-',
  'x-amz-storage-class',
  'x-amz-tagging',
  'x-amz-website-redirect-location',
  'x-amz-write-offset-bytes',
];

/** What a GET will give back of the request that creates an object. A presigned URL may have `x-amz-` headers in its
 *  query. */
export function storedHeaders({ call, signed }: Context): Record<string, string> {
  const hoisted = signed.presigned ? call.query.map(([name]) => name.toLowerCase()) : [];
  const given = [...Object.keys(call.headers), ...hoisted];
  const sent = (name: string) =>
    header(call, name) ?? (name.startsWith('x-amz-') ? queryValue(call, name) : undefined) ?? '';
  const isRefused = (name: string) =>
    REFUSED_HEADERS.some((each) => name.startsWith(each)) && sent(name) !== STANDARD[name];
  const refused = given.find(isRefused);
  if (refused !== undefined) throw notImplemented(refused);
  const kept = given.filter((name) => KEPT_HEADERS.includes(name) || name.startsWith('x-amz-meta-'));
  const encryption = given.includes('x-amz-server-side-encryption')
    ? sent('x-amz-server-side-encryption')
    : 'AES256';
  if (!ENCRYPTIONS.includes(encryption)) {
    throw invalidArgument(
      'x-amz-server-side-encryption',
      encryption,
      'The encryption method is not supported',
    );
  }
  const headers = kept
    .map((name) => [name, requireHeaderValue(name, sent(name))] as const)
    .filter(([, value]) => value !== '');
  requireMetadataSize(headers);
  const encoding = contentEncoding(call);
  return {
    'content-type': 'binary/octet-stream',
    ...Object.fromEntries(headers),
    ...(encoding && { 'content-encoding': encoding }),
    'x-amz-server-side-encryption': encryption,
  };
}

/** What comes decoded from a query may be no header. */
export function requireHeaderValue(name: string, value: string): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
  throw invalidArgument(name, value, 'Header value cannot be represented using ISO-8859-1.');
}

function requireMetadataSize(headers: readonly (readonly [string, string])[]): void {
  const metadata = headers.filter(([name]) => name.startsWith('x-amz-meta-'));
  const size = metadata.flat().join('').length - metadata.length * 'x-amz-meta-'.length;
  if (size <= MAX_METADATA_BYTES) return;
  throw new S3Error('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', {
    Size: size,
    MaxSizeAllowed: MAX_METADATA_BYTES,
  });
}

/** Without `aws-chunked`, which ends here. */
function contentEncoding(call: Call): string {
  const encodings = (header(call, 'content-encoding') ?? '').split(',').map((encoding) => encoding.trim());
  return encodings.filter((encoding) => encoding !== '' && encoding !== 'aws-chunked').join(',');
}

export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  if (!checksum) return {};
  return { [checksumHeader(checksum.algorithm)]: checksum.value, 'x-amz-checksum-type': checksum.type };
}

/** A number of the query between `least` and `most`; `standard` without it. */
export function queryNumber(
  call: Call,
  name: string,
  [least, standard, most]: [number, number, number],
): number {
  const value = queryValue(call, name);
  if (value === undefined) return standard;
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= least && number <= most) return number;
  throw invalidArgument(name, value, `Argument ${name} must be an integer between ${least} and ${most}`);
}

export const quoted = (eTag: string) => `"${eTag}"`;
