import { createHash } from 'node:crypto';
import { type Call, header } from './call.ts';
import { ALGORITHMS, badDigest, type Checksum, checksumHeader, hasherOf } from './checksums.ts';
import { malformedXml, S3Error } from './s3-error.ts';
import type { OpenUpload, Part, StoredObject } from './store.ts';
import { childText, type Element, parseXml } from './xml.ts';

const MIN_PART_BYTES = 5 * 1024 ** 2;

/** A part as the request that completes an upload names it. */
interface RequestedPart {
  readonly number: number;
  readonly eTag: string;
  readonly checksums: ReadonlyMap<string, string>;
}

export function requestedParts(text: string): RequestedPart[] {
  const request = parseXml(text);
  const parts = request.children.map(requestedPart);
  if (request.name !== 'CompleteMultipartUpload' || parts.length === 0) throw malformedXml();
  return parts;
}

function requestedPart(element: Element): RequestedPart {
  const number = Number(childText(element, 'PartNumber'));
  const eTag = childText(element, 'ETag')?.replace(/^"|"$/g, '');
  if (element.name !== 'Part' || !Number.isInteger(number) || number < 1 || !eTag) throw malformedXml();
  const checksums = ALGORITHMS.map(
    (algorithm) => [algorithm, childText(element, `Checksum${algorithm}`)] as const,
  );
  return {
    number,
    eTag,
    checksums: new Map(checksums.filter((pair): pair is [(typeof pair)[0], string] => pair[1] !== undefined)),
  };
}

/** The object that the parts make, if they are in order, the ones that were uploaded, and large enough. */
export function assemble(
  call: Call,
  upload: OpenUpload,
  requested: readonly RequestedPart[],
): Pick<StoredObject, 'eTag' | 'size' | 'files' | 'checksum'> {
  requireOrder(upload, requested);
  const parts = requested.map((each) => requirePart(upload, each));
  requireSizes(parts);
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  requireObjectSize(call, size);
  const md5 = createHash('md5').update(Buffer.from(parts.map((part) => part.eTag).join(''), 'hex'));
  return {
    eTag: `${md5.digest('hex')}-${parts.length}`,
    size,
    files: parts.flatMap((part) => part.files),
    checksum: requireObjectChecksum(call, compositeChecksum(upload, parts)),
  };
}

function requireOrder(upload: OpenUpload, requested: readonly RequestedPart[]): void {
  const ordered = requested.every(({ number }, n) => number > (requested[n - 1]?.number ?? 0));
  if (ordered) return;
  throw new S3Error(
    'InvalidPartOrder',
    'The list of parts was not in ascending order. Parts must be ordered by part number.',
    { UploadId: upload.id },
  );
}

function requirePart(upload: OpenUpload, { number, eTag, checksums }: RequestedPart): Part {
  const part = upload.parts.get(number);
  const { algorithm } = upload;
  if (algorithm && !checksums.has(algorithm)) {
    throw new S3Error(
      'InvalidRequest',
      `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${number} in the request.`,
    );
  }
  const same = Array.from(checksums).every(
    ([name, value]) => part?.checksum?.algorithm === name && part.checksum.value === value,
  );
  if (part?.eTag === eTag && same) return part;
  throw new S3Error(
    'InvalidPart',
    "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    { UploadId: upload.id, PartNumber: number, ETag: eTag },
  );
}

function requireSizes(parts: readonly Part[]): void {
  const small = parts.slice(0, -1).find(({ size }) => size < MIN_PART_BYTES);
  if (!small) return;
  throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
    ProposedSize: small.size,
    MinSizeAllowed: MIN_PART_BYTES,
    PartNumber: small.number,
    ETag: small.eTag,
  });
}

function requireObjectSize(call: Call, size: number): void {
  const expected = header(call, 'x-amz-mp-object-size');
  if (expected === undefined || expected === String(size)) return;
  throw new S3Error(
    'InvalidRequest',
    `The provided 'x-amz-mp-object-size' header value ${expected} does not match what was computed: ${size}`,
  );
}

/** The checksum of the parts' checksums; only uploads begun with an algorithm have one. */
function compositeChecksum({ algorithm }: OpenUpload, parts: readonly Part[]): Checksum | undefined {
  if (!algorithm) return;
  const hasher = hasherOf(algorithm);
  for (const { checksum } of parts) hasher.update(Buffer.from(checksum?.value ?? '', 'base64'));
  return {
    algorithm,
    value: `${hasher.digest().toString('base64')}-${parts.length}`,
    type: 'COMPOSITE',
  };
}

/** A checksum in the header is that of the object, with or without its number of parts. */
function requireObjectChecksum(call: Call, computed: Checksum | undefined): Checksum | undefined {
  const algorithm = ALGORITHMS.find((each) => header(call, checksumHeader(each)) !== undefined);
  const value = algorithm && header(call, checksumHeader(algorithm));
  if (!algorithm || value === computed?.value || value === computed?.value.replace(/-\d+$/, ''))
    return computed;
  throw badDigest(algorithm);
}
