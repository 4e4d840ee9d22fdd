import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { DOWNLOAD_URL_SECONDS, MAX_ANSWERED_BLOB_BYTES } from '../../limits.ts';
import { type Algorithm, algorithmOf, type Digest, parseDigest } from '../../oci/digest.ts';
import { uploadInvalid } from '../../oci/errors.ts';
import type {
  AppendOptions,
  AppendOutcome,
  BlobStore,
  Body,
  ByteRange,
  ListedObject,
  ObjectKey,
  ReceivedObject,
  StoredObject,
  Upload,
} from '../blob-store.ts';
import type { CdnUrls } from './cdn-urls.ts';
import { DIRECT_LANE, ObjectClient } from './object-client.ts';
import { PartBuffers } from './part-buffers.ts';
import { ResumableHash } from './resumable-hash.ts';
import { decodeState, encodeState, type UploadState } from './upload-state.ts';
import { writeBody } from './write-body.ts';

interface S3BlobStoreOptions {
  readonly client: S3Client;
  readonly bucket: string;
  /** A fresh UUID: a tail is written under a key of its own each time. */
  readonly newId: () => string;
  /** Signs downloads by way of CloudFront. @default they come from S3 itself */
  readonly cdn?: CdnUrls | undefined;
}

/** A `BlobStore` in one S3 bucket. A blob that comes in one chunk is one PUT under its final key; a larger one is a
 *  multipart upload there, whose odd bytes wait in `uploads/<uuid>` between requests. Nothing is ever copied. */
export class S3BlobStore implements BlobStore {
  readonly #s3: S3Client;
  readonly #bucket: string;
  readonly #objects: ObjectClient;
  readonly #newId: () => string;
  readonly #cdn: CdnUrls | undefined;
  readonly #buffers = new PartBuffers();
  /** Tails that are just being removed. */
  readonly #forgetting = new Map<string, Promise<void>>();

  constructor({ client, bucket, newId, cdn }: S3BlobStoreOptions) {
    this.#s3 = client;
    this.#bucket = bucket;
    this.#objects = new ObjectClient(client, bucket);
    this.#newId = newId;
    this.#cdn = cdn;
  }

  async start(objectKey: ObjectKey, algorithm: Algorithm): Promise<Upload> {
    return { objectKey, offset: 0, state: encodeState({ algorithm }) };
  }

  async append(upload: Upload, body: Body, { commit, last }: AppendOptions): Promise<AppendOutcome> {
    const before = decodeState(upload.state);
    const tailKey = `uploads/${this.#newId()}`;
    const written = await writeBody(this.#objects, {
      upload,
      state: before,
      body,
      last,
      tailKey,
      buffers: this.#buffers,
    });
    if (!written) return { is: 'busy' };
    const next = { ...upload, offset: written.offset, state: encodeState(written.state) };
    if (!(await commit(next))) return { is: 'lost' };
    if (before.tail && (last || before.tail.key !== written.state.tail?.key))
      await (this.#forgetting.get(before.tail.key) ?? this.#forget(before.tail.key));
    return { is: 'appended', upload: next };
  }

  async finish(upload: Upload, digest: Digest): Promise<'stored' | 'mismatch'> {
    const state = decodeState(upload.state);
    const known = algorithmOf(digest) === state.algorithm;
    if (known && (await digestOf(state)) !== digest) return 'mismatch';
    await this.#assemble(upload, state);
    if (!known && (await this.#readDigest(upload.objectKey, algorithmOf(digest))) !== digest)
      return 'mismatch';
    return 'stored';
  }

  async received(objectKey: ObjectKey): Promise<ReceivedObject | undefined> {
    const found = await this.#objects.head(objectKey);
    if (found?.lane !== DIRECT_LANE) return undefined;
    const digest = parseDigest(`sha256:${Buffer.from(found.sha256, 'base64').toString('hex')}`);
    return digest && { objectKey, size: found.size, digest };
  }

  async abort({ objectKey, state }: Upload): Promise<void> {
    const { multipart, tail } = decodeState(state);
    if (multipart) await this.#objects.abortMultipart(objectKey, multipart.id);
    if (tail) await this.#objects.delete(tail.key);
    await this.#objects.delete(objectKey);
  }

  async put(objectKey: ObjectKey, bytes: Uint8Array): Promise<void> {
    const outcome = await this.#objects.put(objectKey, bytes, 'absent');
    if (outcome.is === 'conflict') throw new Error(`object key ${objectKey} was used twice`);
  }

  /** A signed URL. Small blobs are answered directly: two requests would cost the client more than the bytes. */
  async downloadUrl({ objectKey, size }: StoredObject, digest: Digest): Promise<string | undefined> {
    if (size <= MAX_ANSWERED_BLOB_BYTES) return undefined;
    if (this.#cdn) return this.#cdn.urlOf(objectKey, digest);
    const command = new GetObjectCommand({
      Bucket: this.#bucket,
      Key: objectKey,
      ResponseContentType: 'application/octet-stream',
    });
    return getSignedUrl(this.#s3, command, { expiresIn: DOWNLOAD_URL_SECONDS });
  }

  async read(objectKey: ObjectKey, range?: ByteRange): Promise<Body | undefined> {
    return this.#objects.read(objectKey, range);
  }

  async list(after: ObjectKey | undefined, limit: number): Promise<readonly ListedObject[]> {
    return this.#objects.list('blobs/', after, limit);
  }

  async delete(objectKeys: readonly ObjectKey[]): Promise<void> {
    await this.#objects.deleteAll(objectKeys);
  }

  /** Makes the object whole; does nothing where it is. */
  async #assemble({ objectKey }: Upload, { whole, multipart, tail }: UploadState): Promise<void> {
    if (whole?.all) return;
    if (multipart && tail?.part) {
      const parts = [...multipart.parts, tail.part];
      if (await this.#objects.completeMultipart(objectKey, { ...multipart, parts }, Buffer.of())) {
        void this.#forget(tail.key); // whatever becomes of the upload, its bytes are in the object
        return;
      }
    }
    const rest = tail ? await this.#objects.readAll(tail.key) : Buffer.of();
    if (multipart) {
      if (await this.#objects.completeMultipart(objectKey, multipart, rest)) return;
    } else if ((await this.#objects.put(objectKey, rest, whole ?? 'absent')).is === 'stored') return;
    throw uploadInvalid('another request has written to this upload; start a new one');
  }

  /** The digest of an object by an algorithm that was not announced when the upload began. */
  async #readDigest(objectKey: ObjectKey, algorithm: Algorithm): Promise<Digest> {
    const hash = await ResumableHash.resume(algorithm);
    for await (const chunk of (await this.#objects.read(objectKey)) ?? []) hash.update(chunk);
    return hash.digest();
  }

  /** Removes a tail that is no longer needed. Failing does no harm: the bucket lets them go after a week. */
  #forget(key: string): Promise<void> {
    const forgetting = this.#objects.delete(key).then(undefined, () => undefined);
    this.#forgetting.set(key, forgetting);
    return forgetting.finally(() => this.#forgetting.delete(key));
  }
}

async function digestOf({ algorithm, hash }: UploadState): Promise<Digest> {
  return (await ResumableHash.resume(algorithm, hash)).digest();
}
