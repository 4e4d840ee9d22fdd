import { GetObjectCommand, HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { DOWNLOAD_URL_SECONDS, MAX_ANSWERED_BLOB_BYTES, MAX_REHASHED_BYTES } from '../../limits.ts';
import { type Algorithm, algorithmOf, type Digest } from '../../oci/digest.ts';
import { algorithmTooLate } from '../../oci/errors.ts';
import {
  type AppendOptions,
  type AppendOutcome,
  type BlobStore,
  type Body,
  type CloseOptions,
  type CloseOutcome,
  type Fault,
  type Hindrance,
  type ListedObject,
  type Look,
  ObjectDamaged,
  type ObjectKey,
  type OnLeft,
  type ReadOptions,
  type ReceivedObject,
  type StoredObject,
  type Upload,
} from '../blob-store.ts';
import { closeParts } from './announced-parts.ts';
import type { CdnUrls } from './cdn-urls.ts';
import { BytesGone, DIRECT_LANE, ObjectClient } from './object-client.ts';
import { PartBuffers } from './part-buffers.ts';
import { type PartSizes, S3_PART_SIZES } from './parts.ts';
import { ResumableHash } from './resumable-hash.ts';
import { S3DirectWrites } from './s3-direct-writes.ts';
import { decodeState, encodeState, type Tail, type UploadState } from './upload-state.ts';
import { putWhole, type Written, writeBody } from './write-body.ts';

interface S3BlobStoreOptions {
  readonly client: S3Client;
  readonly bucket: string;
  /** A fresh UUID: what is written has a key of its own each time. */
  readonly newId: () => string;
  /** Waits before write number `attempt` (from 1) is repeated that S3 could not decide. */
  readonly pause: (attempt: number) => Promise<void>;
  /** @default what S3 takes - a simulation has smaller blobs */
  readonly sizes?: PartSizes;
  /** Signs downloads by way of CloudFront. @default they come from S3 itself */
  readonly cdn?: CdnUrls | undefined;
  /** The memory for parts, of the whole process. @default that of the smallest host */
  readonly partBytes?: number | undefined;
  /** @default its own, of `partBytes` */
  readonly buffers?: PartBuffers;
  /** @default none: nothing ends a call but its outcome */
  readonly signal?: AbortSignal;
}

/** How often a sealed upload is put together before it counts as lost. */
const MAX_ATTEMPTS = 3;

/** A `BlobStore` in one S3 bucket. A blob that comes in one chunk is one PUT under its final key; a larger one is a
 *  multipart upload of its own, whose odd bytes wait in `uploads/<uuid>` between requests. Nothing is ever copied, and
 *  nothing written twice. */
export class S3BlobStore implements BlobStore {
  readonly #options: S3BlobStoreOptions;
  readonly #s3: S3Client;
  readonly #bucket: string;
  readonly #objects: ObjectClient;
  readonly direct: S3DirectWrites;
  readonly #newId: () => string;
  readonly #cdn: CdnUrls | undefined;
  readonly #sizes: PartSizes;
  readonly #buffers: PartBuffers;

  constructor(options: S3BlobStoreOptions) {
    const { client, bucket, newId, pause, signal, cdn } = options;
    this.#options = options;
    this.#s3 = client;
    this.#bucket = bucket;
    this.#objects = new ObjectClient({ s3: client, bucket, pause, signal });
    this.#newId = newId;
    this.#cdn = cdn;
    this.#sizes = options.sizes ?? S3_PART_SIZES;
    const partBytes = this.#sizes.announced;
    this.direct = new S3DirectWrites({ s3: client, bucket, objects: this.#objects, partBytes });
    this.#buffers = options.buffers ?? new PartBuffers({ bytes: options.partBytes });
  }

  until(signal: AbortSignal): S3BlobStore {
    return new S3BlobStore({ ...this.#options, buffers: this.#buffers, signal });
  }

  async start(objectKey: ObjectKey, algorithm: Algorithm): Promise<Upload> {
    return { objectKey, offset: 0, state: encodeState({ algorithm }) };
  }

  async append(upload: Upload, body: Body, { commit, onLeft }: AppendOptions): Promise<AppendOutcome> {
    try {
      const before = decodeState(upload);
      const { state, offset, abandon } = await this.#write(upload, before, body, { last: false, onLeft });
      const next = { ...upload, offset, state: encodeState(state) };
      if (!(await leaving(commit(next), onLeft))) {
        await abandon();
        return { is: 'lost' };
      }
      if (before.tail && before.tail.key !== state.tail?.key) await this.#forget(before.tail.key);
      return { is: 'appended', upload: next };
    } catch (error) {
      return goneOr(error);
    }
  }

  async close(upload: Upload, body: Body, options: CloseOptions): Promise<CloseOutcome> {
    try {
      if (upload.sealed === undefined) return await this.#closeOpen(upload, body, options);
      await body.cancel();
      if (decodeState(upload).announced) return await closeParts(this.#objects, upload, options);
      return await this.#closeSealed(upload, options);
    } catch (error) {
      return goneOr(error);
    }
  }

  async holds(): Promise<boolean> {
    return true; // S3 loses nothing by itself
  }

  async received(objectKey: ObjectKey): Promise<ReceivedObject | undefined> {
    const found = await this.#objects.head(objectKey);
    if (found?.lane !== DIRECT_LANE || !found.digest || found.isDressed) return undefined;
    return { objectKey, size: found.size, digest: found.digest };
  }

  async abort(upload: Upload): Promise<void> {
    const { whole, multipart, tail } = decodeState(upload);
    if (multipart) await this.#objects.abortMultipart(multipart.key, multipart.id);
    const keys = new Set([upload.objectKey, whole?.key, tail?.key]);
    for (const key of keys) if (key !== undefined) await this.#objects.delete(key);
  }

  /** A blob in one PUT lies there once. One that comes in a single larger request has its odd bytes twice, as a part and as
   *  the tail; one that comes in several has them in the first chunk's object, in the tail before and after, and in what is
   *  put together at last. */
  async footprint({ offset }: Upload, more: number): Promise<number> {
    const { least, chunked } = this.#sizes;
    const total = offset + more;
    if (more === 0 || (offset === 0 && more <= least)) return total;
    return offset === 0 ? total + least : total + 3 * Math.min(total, chunked);
  }

  async plug(objectKey: ObjectKey): Promise<boolean> {
    return this.#objects.put(objectKey, Buffer.of());
  }

  async put(objectKey: ObjectKey, bytes: Uint8Array): Promise<void> {
    if (!(await this.#objects.put(objectKey, bytes)))
      throw new Error(`object key ${objectKey} was used twice`);
  }

  /** A signed URL. Small blobs are answered directly: two requests would cost the client more than the bytes. */
  async downloadUrl(
    { objectKey, size }: StoredObject,
    digest: Digest,
    host: string,
    method: 'GET' | 'HEAD' = 'GET',
  ): Promise<string | undefined> {
    if (size <= MAX_ANSWERED_BLOB_BYTES) return undefined;
    // By CloudFront's signature a client that asked for HEAD could GET all of it, which nobody has counted.
    if (this.#cdn && method === 'GET') return this.#cdn.urlOf({ objectKey, digest, host });
    const Command = method === 'GET' ? GetObjectCommand : HeadObjectCommand;
    const command = new Command({
      Bucket: this.#bucket,
      Key: objectKey,
      ResponseContentType: 'application/octet-stream',
    });
    return getSignedUrl(this.#s3, command, { expiresIn: DOWNLOAD_URL_SECONDS });
  }

  async read(object: StoredObject, { range }: ReadOptions = {}): Promise<Body | undefined> {
    const found = await this.#objects.read(object.objectKey, range);
    if (!found || found.size === object.size) return found?.body;
    await found.body.cancel();
    throw new ObjectDamaged(object, found.size);
  }

  /** S3 checked the bytes of an object against its checksum when it took them, and does so when it reads them. */
  async examine(object: StoredObject, digest: Digest, look: Look): Promise<Fault | undefined> {
    if (look === 'glance') return undefined;
    const found = await this.#objects.head(object.objectKey);
    if (!found) return 'missing';
    if (found.size !== object.size) return 'damaged';
    const isKnown = found.digest !== undefined && algorithmOf(found.digest) === algorithmOf(digest);
    if (!isKnown && look === 'facts') return undefined;
    const actual = isKnown ? found.digest : await this.#readDigest(object, algorithmOf(digest));
    return actual === digest ? undefined : 'damaged';
  }

  async list(after: ObjectKey | undefined, limit: number): Promise<readonly ListedObject[]> {
    return this.#objects.list('blobs/', after, limit);
  }

  async delete(objectKeys: readonly ObjectKey[]): Promise<void> {
    await this.#objects.deleteAll(objectKeys);
  }

  #write(
    upload: Upload,
    state: UploadState,
    body: Body,
    how: { last: boolean; onLeft: OnLeft | undefined },
  ): Promise<Written> {
    const [newId, buffers, sizes, { signal }] = [this.#newId, this.#buffers, this.#sizes, this.#options];
    return writeBody(this.#objects, { upload, state, body, ...how, newId, buffers, sizes, signal });
  }

  async #closeOpen(upload: Upload, body: Body, options: CloseOptions): Promise<CloseOutcome> {
    const before = decodeState(upload);
    const written = await this.#write(upload, before, body, { last: true, onLeft: options.onLeft });
    const outcome = await leaving(this.#closeWritten(upload, written, options), options.onLeft);
    if (outcome.is !== 'closed') await written.abandon();
    else if (before.tail && before.tail.key !== written.state.tail?.key) await this.#forget(before.tail.key);
    return outcome;
  }

  /** What is an object already is linked as it lies. Everything else is sealed before it is put together, at a key that
   *  only those write who close it: whoever does makes the same object, and nobody can write to it later. */
  async #closeWritten(upload: Upload, written: Written, options: CloseOptions): Promise<CloseOutcome> {
    const { digest, seal, link } = options;
    const { offset } = written;
    const isKnown = algorithmOf(digest) === written.state.algorithm;
    if (isKnown && (await digestOf(written.state)) !== digest) return { is: 'mismatch' };
    const state = offset === 0 ? await this.#empty(upload, written.state) : written.state;
    const { whole, multipart } = state;
    if (whole?.all) return this.#link({ objectKey: whole.key, size: offset }, isKnown, { digest, link });
    if (!isKnown && offset > MAX_REHASHED_BYTES) throw algorithmTooLate(algorithmOf(digest));
    const objectKey = multipart?.key ?? (`blobs/${this.#newId()}` as ObjectKey);
    const sealed = { objectKey, offset, state: encodeState(state), sealed: digest };
    return (await seal(sealed)) ? this.#closeSealed(sealed, options) : { is: 'lost' };
  }

  async #closeSealed(upload: Upload, options: Pick<CloseOptions, 'digest' | 'link'>): Promise<CloseOutcome> {
    const state = decodeState(upload);
    const isKnown = algorithmOf(options.digest) === state.algorithm;
    if (!(await this.#assemble(upload, state))) return { is: 'gone' };
    // Where the tail was sent as a part, too, whoever repeats this does without it.
    const forgetting = state.tail?.part && this.#forgetLeftovers(state);
    const outcome = await this.#link({ objectKey: upload.objectKey, size: upload.offset }, isKnown, options);
    if (outcome.is === 'closed') await (forgetting ?? this.#forgetLeftovers(state));
    return outcome;
  }

  async #link(
    object: StoredObject,
    isKnown: boolean,
    { digest, link }: Pick<CloseOptions, 'digest' | 'link'>,
  ): Promise<CloseOutcome> {
    if (!isKnown && (await this.#readDigest(object, algorithmOf(digest))) !== digest)
      return { is: 'mismatch' };
    return { is: (await link(object)) ? 'closed' : 'lost' };
  }

  /** An upload of nothing is an object, too. */
  async #empty(upload: Upload, state: UploadState): Promise<UploadState> {
    const whole = state.whole ?? (await putWhole(this.#objects, upload, Buffer.of()));
    return whole ? { ...state, whole } : state;
  }

  /** Makes a sealed upload an object, and answers whether it is; not where bytes of it are lost. */
  async #assemble(upload: Upload, { multipart, tail }: UploadState): Promise<boolean> {
    if (!tail) {
      if (multipart) return this.#objects.completeMultipart(multipart);
      return this.#objects.put(upload.objectKey, Buffer.of());
    }
    const spare = multipart && tail.part && { ...multipart, parts: [...multipart.parts, tail.part] };
    if (spare && (await this.#objects.completeMultipart(spare))) return true;
    const work = () => this.#addTail(upload, multipart, tail);
    return this.#buffers.during(tail.size, work, this.#options.signal);
  }

  async #addTail({ objectKey }: Upload, multipart: UploadState['multipart'], tail: Tail): Promise<boolean> {
    const rest = await new Response(await this.#objects.readWhole(tail.key)).bytes();
    if (!multipart) return this.#objects.put(objectKey, rest);
    const { id, parts } = multipart;
    // A request that is late may put its own part in the place of ours meanwhile, but not for long.
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const part = await this.#objects.uploadPart(objectKey, id, parts.length + 1, rest);
      if (await this.#objects.completeMultipart({ ...multipart, parts: [...parts, part] })) return true;
    }
    return false;
  }

  /** The digest of an object by an algorithm that was not announced when the upload began. */
  async #readDigest(object: StoredObject, algorithm: Algorithm): Promise<Digest> {
    const hash = await ResumableHash.resume(algorithm);
    for await (const chunk of (await this.read(object)) ?? []) hash.update(chunk);
    return hash.digest();
  }

  /** Removes what an upload no longer needs. Failing does no harm: it is in the outbox, or in a folder that S3 empties
   *  after a week. */
  async #forget(key: string): Promise<void> {
    await this.#objects.delete(key).catch(() => undefined);
  }

  async #forgetLeftovers({ whole, tail }: UploadState): Promise<void> {
    const keys = [whole?.key, tail?.key].filter((key) => key !== undefined);
    if (keys.length > 0) await this.#objects.deleteAll(keys).catch(() => undefined);
  }
}

/** The outcome of what may have been done where it fails: the bytes stay, and whoever repeats it may go on with them. */
async function leaving<T>(outcome: Promise<T>, onLeft: OnLeft | undefined): Promise<T> {
  try {
    return await outcome;
  } catch (error) {
    onLeft?.('elsewhere');
    throw error;
  }
}

function goneOr(error: unknown): Hindrance {
  if (error instanceof BytesGone) return { is: 'gone' };
  throw error;
}

async function digestOf({ algorithm, hash }: UploadState): Promise<Digest> {
  return (await ResumableHash.resume(algorithm, hash)).digest();
}
