import { PutObjectCommand, type S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { UPLOAD_TOKEN_SECONDS } from '../../limits.ts';
import { algorithmOf, type Digest } from '../../oci/digest.ts';
import { blobTooLarge } from '../../oci/errors.ts';
import type { ObjectKey, Upload } from '../blob-store.ts';
import type { Announced, AnnouncedPart, Cut, DirectWrites, SignedRequest } from '../direct-writes.ts';
import { DIRECT_LANE, LANE, type ObjectClient } from './object-client.ts';
import { decodeState, encodeState } from './upload-state.ts';

const MEBIBYTE = 1024 * 1024;

/** Ours: as many are listed in two requests; S3 takes 10,000. */
const MOST_PARTS = 2000;

/** S3's largest object for most of its life, and more than anybody will wait for. */
const MOST_BYTES = 5 * 1024 ** 4;

interface S3DirectWritesOptions {
  readonly s3: S3Client;
  readonly bucket: string;
  readonly objects: ObjectClient;
  /** How large parts are at least. */
  readonly partBytes: number;
}

/** Presigned PUTs to S3. What is signed is everything that matters: the checksum, the length and the condition; S3 refuses an
 *  `x-amz-` header that is not. `received` refuses what a client may add besides.
 *  https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html */
export class S3DirectWrites implements DirectWrites {
  readonly #s3: S3Client;
  readonly #bucket: string;
  readonly #objects: ObjectClient;
  readonly #partBytes: number;

  constructor({ s3, bucket, objects, partBytes }: S3DirectWritesOptions) {
    [this.#s3, this.#bucket, this.#objects, this.#partBytes] = [s3, bucket, objects, partBytes];
  }

  async whole({ objectKey }: Upload, { digest, size }: Announced): Promise<SignedRequest> {
    const sha256 = base64Of(digest);
    const headers = {
      'content-length': `${size}`,
      'content-type': 'application/octet-stream',
      'if-none-match': '*',
      'x-amz-checksum-sha256': sha256,
      [`x-amz-meta-${LANE}`]: DIRECT_LANE,
    };
    const command = new PutObjectCommand({
      ...this.#at(objectKey),
      ContentLength: size,
      ContentType: headers['content-type'],
      IfNoneMatch: headers['if-none-match'],
      ChecksumSHA256: sha256,
      Metadata: { [LANE]: DIRECT_LANE },
    });
    return this.#sign(command, headers);
  }

  async startParts(objectKey: ObjectKey, { digest, size }: Announced): Promise<Upload> {
    if (size > MOST_BYTES) throw blobTooLarge();
    const partBytes = Math.max(this.#partBytes, Math.ceil(size / MOST_PARTS / MEBIBYTE) * MEBIBYTE);
    const multipart = { key: objectKey, id: await this.#objects.createMultipart(objectKey), parts: [] };
    const state = encodeState({
      algorithm: algorithmOf(digest),
      multipart,
      announced: { partBytes, read: 0 },
    });
    return { objectKey, offset: size, state, sealed: digest };
  }

  async part(upload: Upload, { number, sha256 }: AnnouncedPart): Promise<SignedRequest | undefined> {
    const { multipart, announced } = decodeState(upload);
    if (!multipart || !announced) return undefined;
    const before = (number - 1) * announced.partBytes;
    if (number < 1 || before >= upload.offset) return undefined;
    const size = Math.min(announced.partBytes, upload.offset - before);
    const command = new UploadPartCommand({
      ...this.#at(multipart.key),
      UploadId: multipart.id,
      PartNumber: number,
      ContentLength: size,
      ChecksumSHA256: sha256,
    });
    return this.#sign(command, { 'content-length': `${size}`, 'x-amz-checksum-sha256': sha256 });
  }

  async cutOf(upload: Upload): Promise<Cut | undefined> {
    const { multipart, announced } = decodeState(upload);
    if (!multipart || !announced) return undefined;
    // Where they are an object already, none is missing.
    const found = await this.#objects.listParts(multipart.key, multipart.id);
    const count = Math.ceil(upload.offset / announced.partBytes);
    const there =
      found?.map(({ number }) => number) ?? Array.from({ length: count }, (_, index) => index + 1);
    return { partBytes: announced.partBytes, there };
  }

  /** The SDK would move some of the headers into the query, where S3 does not look for them, and leave one unsigned. */
  async #sign(
    command: PutObjectCommand | UploadPartCommand,
    headers: Readonly<Record<string, string>>,
  ): Promise<SignedRequest> {
    const names = new Set(Object.keys(headers));
    const options = { expiresIn: UPLOAD_TOKEN_SECONDS, unhoistableHeaders: names, signableHeaders: names };
    return { url: await getSignedUrl(this.#s3, command as PutObjectCommand, options), headers };
  }

  #at(key: string) {
    return { Bucket: this.#bucket, Key: key };
  }
}

const base64Of = (digest: Digest) =>
  Buffer.from(digest.slice(digest.indexOf(':') + 1), 'hex').toString('base64');
