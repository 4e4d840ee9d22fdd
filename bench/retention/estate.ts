import { createHash } from 'node:crypto';
import type { Digest } from '../../functions/oci/digest.ts';
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
import type { Attributes, Key } from '../../functions/storage/table.ts';

/** How many images a repository has, and how many of them the policy lets go: the first ones. */
export interface Estate {
  readonly name: RepositoryName;
  /** Each an index of two platforms, with a tag of its own. */
  readonly images: number;
  readonly old: number;
}

type Put = { readonly put: Key; readonly attributes: Attributes };

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const DAY_MS = 24 * 60 * 60_000;

/** Manifests of an image: its index first. */
const EACH = 3;
/** Of a repository, at most: images share them, as those of one team do. */
const MOST_BLOBS = 1000;
/** A prime, which puts the manifests of an image where digests put them: far from each other. */
const STRIDE = 1_000_003;

/** How long ago images that go were pushed. */
const OLD_DAYS = 100;

/** The items of a repository as pushes leave them, without a byte of any blob, in the order of their keys but for those of other
 *  partitions. Digests are made up: one by one they would take longer than all the rest. */
export function* itemsOf(estate: Estate, now: number): Generator<Put> {
  const { name, images } = estate;
  const digests = new Digests(name, EACH * images);
  const blobs = blobsOf(estate);
  for (const digest of blobs) yield* blob(name, digest);
  for (const [number, digest] of blobs.entries()) {
    for (let user = number; user < 2 * images; user += blobs.length)
      yield put(edgeKey(name, digest, digests.of(platformOf(user))), { touched: 0 });
  }
  for (const number of digests.inOrder()) {
    const image = Math.floor(number / EACH);
    if (number % EACH !== 0)
      yield put(edgeKey(name, digests.of(number), digests.of(EACH * image)), { touched: 0 });
    else yield put(tagIndexKey(name, digests.of(number), tagOf(image)), {});
  }
  for (const number of digests.inOrder()) {
    const by = { pushedAt: pushedAt(estate, Math.floor(number / EACH), now), pushedBy: 'robot:ci' };
    yield put(manifestKey(name, digests.of(number)), {
      ...contentOf(digests, blobs, number),
      ...by,
      touched: 0,
    });
  }
  for (let image = 0; image < images; image += 1) {
    const by = { taggedAt: pushedAt(estate, image, now), taggedBy: 'robot:ci' };
    const digest = digests.of(EACH * image);
    yield put(tagKey(name, tagOf(image)), { ...contentOf(digests, blobs, EACH * image), digest, ...by });
  }
}

export const tagOf = (image: number) => `v${String(image).padStart(7, '0')}` as Tag;

const pushedAt = ({ old }: Estate, image: number, now: number) => now - (image < old ? OLD_DAYS : 1) * DAY_MS;

/** The number of a platform among all manifests: no index. */
const platformOf = (user: number) => EACH * Math.floor(user / 2) + 1 + (user % 2);

function blobsOf({ name, images }: Estate): readonly Digest[] {
  const count = Math.min(MOST_BLOBS, 2 * images);
  return Array.from({ length: count }, (_, place) => digestAt(`blob of ${name}`, place, count));
}

function* blob(name: RepositoryName, digest: Digest): Generator<Put> {
  const objectKey = `blobs/${digest.slice(7, 39).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`;
  yield put(blobKey(name, digest), { objectKey, size: 5_000_000, touched: 0 });
  yield put(linkerKey(digest, name), {});
  yield put(digestKey(digest), { objectKey, size: 5_000_000, links: 1 });
}

function contentOf(digests: Digests, blobs: readonly Digest[], number: number): Attributes {
  const user = 2 * Math.floor(number / EACH) + (number % EACH) - 1;
  const used = blobs[user % blobs.length] as Digest;
  const descriptor = (mediaType: string, digest: Digest) => ({ mediaType, digest, size: 600 });
  const platform = (architecture: string, at: number) => ({
    ...descriptor(MANIFEST, digests.of(number + at)),
    platform: { architecture, os: 'linux' },
  });
  const isIndex = number % EACH === 0;
  const content = isIndex
    ? { manifests: [platform('amd64', 1), platform('arm64', 2)] }
    : {
        config: descriptor('application/vnd.oci.image.config.v1+json', used),
        layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', used)],
      };
  const mediaType = isIndex ? INDEX : MANIFEST;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
  return { mediaType, size: bytes.length, bytes };
}

/** Of manifests by their numbers: evenly spread, and known in their order without sorting them. */
class Digests {
  readonly #name: RepositoryName;
  readonly #count: number;
  readonly #numberAt: Uint32Array;

  constructor(name: RepositoryName, count: number) {
    [this.#name, this.#count] = [name, count];
    this.#numberAt = new Uint32Array(count);
    for (let number = 0; number < count; number += 1) this.#numberAt[this.#placeOf(number)] = number;
  }

  of(number: number): Digest {
    return digestAt(this.#name, this.#placeOf(number), this.#count);
  }

  inOrder(): Uint32Array {
    return this.#numberAt;
  }

  #placeOf(number: number): number {
    return (number * STRIDE) % this.#count;
  }
}

/** The `place`-th of `count` digests in their order. */
function digestAt(what: string, place: number, count: number): Digest {
  const start = (place * Math.floor(2 ** 40 / count)).toString(16).padStart(10, '0');
  const rest = createHash('sha256').update(`${what} ${place}`).digest('hex');
  return `sha256:${start}${rest.slice(start.length)}` as Digest;
}

const put = (key: Key, attributes: Attributes): Put => ({ put: key, attributes });
