import { createHash } from 'node:crypto';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import {
  blobKey,
  digestKey,
  edgeKey,
  linkerKey,
  manifestKey,
  tagIndexKey,
  tagKey,
} from '../../functions/registry/keys.ts';
import { renameOperations } from '../../functions/registry/tag-names.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import {
  type Attributes,
  type Key,
  MAX_OPERATIONS,
  type Operation,
  type Table,
} from '../../functions/storage/table.ts';

export interface Shape {
  readonly images: number;
  /** The config among them; no two images have one in common. */
  readonly blobsPerImage: number;
  /** The first so many images have no manifest any more, as if they had been deleted. */
  readonly deleted: number;
}

const LAYER_BYTES = 5_000_000;

/** Writes the items of a repository as pushes leave them, without a byte of any layer; one tag an image. */
export async function fillRepository(table: Table, name: RepositoryName, shape: Shape): Promise<void> {
  const writer = new Writer(table);
  for (let number = 0; number < shape.images; number += 1) {
    const blobs = Array.from({ length: shape.blobsPerImage }, (_, index) => digestFor(`${number}-${index}`));
    const bytes = imageOf(blobs);
    const digest = digestOf('sha256', bytes);
    for (const blob of blobs) await writer.write(...linkOf(name, blob));
    await writer.write(...blobs.map((blob) => put(edgeKey(name, blob, digest), { touched: 0 })));
    if (number >= shape.deleted) await writer.write(...manifestOf(name, digest, bytes, tagOf(number)));
  }
  const kept = Array.from({ length: shape.images - shape.deleted }, (_, n) => tagOf(shape.deleted + n));
  for (const operation of renameOperations(name, { added: kept })) await writer.write(operation);
  await writer.flush();
}

function linkOf(name: RepositoryName, digest: Digest): Operation[] {
  const object = { objectKey: objectKeyFor(digest), size: LAYER_BYTES };
  return [
    put(blobKey(name, digest), { ...object, touched: 0 }),
    put(linkerKey(digest, name), {}),
    put(digestKey(digest), { ...object, links: 1 }),
  ];
}

function manifestOf(name: RepositoryName, digest: Digest, bytes: Buffer, tag: Tag): Operation[] {
  const item = { mediaType: MANIFEST, size: bytes.length, bytes };
  const by = { pushedAt: Date.now(), pushedBy: 'robot:ci' };
  return [
    put(manifestKey(name, digest), { ...item, ...by, touched: 0 }),
    put(tagKey(name, tag), { ...item, digest, taggedAt: Date.now(), taggedBy: 'robot:ci' }),
    put(tagIndexKey(name, digest, tag), {}),
  ];
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

function imageOf([config, ...layers]: readonly Digest[]): Buffer {
  const descriptor = (mediaType: string, digest: Digest | undefined) => ({
    mediaType,
    digest,
    size: LAYER_BYTES,
  });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((digest) => descriptor(LAYER, digest)),
    }),
  );
}

/** Of the form that a store takes. */
const objectKeyFor = (digest: Digest) =>
  `blobs/${digest.slice(7, 39).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}` as ObjectKey;

const tagOf = (number: number) => `v${number}` as Tag;

const digestFor = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;

const put = (key: Key, attributes: Attributes): Operation => ({ put: key, attributes });

/** Writes as many at once as a table takes. */
class Writer {
  readonly #table: Table;
  #waiting: Operation[] = [];

  constructor(table: Table) {
    this.#table = table;
  }

  async write(...operations: readonly Operation[]): Promise<void> {
    if (this.#waiting.length + operations.length > MAX_OPERATIONS) await this.flush();
    this.#waiting.push(...operations);
  }

  async flush(): Promise<void> {
    if (this.#waiting.length > 0) await this.#table.write(this.#waiting);
    this.#waiting = [];
  }
}
