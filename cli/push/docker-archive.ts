import { createHash, type Hash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { type Digest, digestOf, parseDigest } from '../../functions/oci/digest.ts';
import { Failure } from '../failure.ts';
import { printable } from '../text.ts';
import { type Content, type Files, slice } from './files.ts';
import type { Blob, Image, ManifestFile, PendingBlob, Preparing, Sent } from './image.ts';
import { jsonOf, small } from './layout.ts';
import { type Candidate, type Choice, choose } from './names.ts';
import { fits, type Platform, platformText } from './platform.ts';
import type { Scratch } from './scratch.ts';

// What `docker save` writes of images whose layers docker keeps unpacked: it names a config and tars, which are packed
// anew for the registry. https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md#combined-image-json--filesystem-changeset-format

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const CONFIG = 'application/vnd.docker.container.image.v1+json';
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

/** Zlib's own choice, named so that the same layer has the same digest after an update. */
const LEVEL = 6;

interface Saved {
  readonly config: string;
  readonly layers: readonly string[];
}

/** The images that `manifest.json` lists; `undefined` where there is none. */
async function savedImages(files: Files): Promise<readonly Candidate<Saved>[] | undefined> {
  const file = await files.find('manifest.json');
  if (!file) return undefined;
  const list = jsonOf(await small(file, 'manifest.json'), 'manifest.json');
  if (!Array.isArray(list)) throw new Failure('its manifest.json lists no images');
  return list.map((entry: unknown) => {
    const {
      Config: config,
      Layers: layers,
      RepoTags: tags,
    } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof config !== 'string' || !isTexts(layers))
      throw new Failure('its manifest.json lists no images');
    return { names: isTexts(tags) ? tags : [], value: { config, layers } };
  });
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string');

interface Wanted extends Choice {
  readonly platform?: Platform | undefined;
  /** Of the image that is meant, where that is known. */
  readonly config?: Digest;
}

/** An image as `docker save` writes it; `undefined` where the files are none. */
export async function dockerImage(
  files: Files,
  scratch: Scratch,
  wanted: Wanted,
): Promise<Image | undefined> {
  const images = await savedImages(files);
  if (!images) return undefined;
  const known = wanted.config?.replace('sha256:', '');
  const saved =
    known === undefined
      ? choose(images, wanted, ({ config }) => config)
      : images.find(({ value }) => value.config.includes(known))?.value;
  if (!saved) return undefined;
  const config = await readConfig(files, saved);
  if (wanted.platform && !fits(config.platform, wanted.platform)) {
    throw new Failure(`the image in it is not for ${platformText(wanted.platform)}`);
  }
  const layers = new Map<Digest, PendingBlob>();
  for (const [index, diffId] of config.diffIds.entries()) {
    const path = saved.layers[index] ?? '';
    const content = await files.find(path);
    if (!content) throw new Failure(`it is incomplete: there is no ${printable(path)} in it`);
    layers.set(diffId, pendingLayer(diffId, content, scratch));
  }
  const { digest, content } = config;
  const blobs = [
    ...layers.values(),
    { name: digest, size: content.size, prepare: async () => ({ digest, content }) },
  ];
  return {
    blobs,
    manifests: (sent) => [
      manifestOf(
        { digest, size: content.size },
        config.diffIds.map((id) => found(sent, id)),
      ),
    ],
  };
}

function found(sent: ReadonlyMap<Digest, Sent>, name: Digest): Sent {
  const blob = sent.get(name);
  if (!blob) throw new Error(`${name} was not sent`);
  return blob;
}

async function readConfig(files: Files, { config: path, layers }: Saved) {
  const content = await files.find(path);
  if (!content) throw new Failure(`it is incomplete: there is no ${printable(path)} in it`);
  const bytes = await small(content, path);
  const digest = digestOf('sha256', bytes);
  const [named] = /[0-9a-f]{64}/.exec(path) ?? [];
  if (named !== undefined && digest !== `sha256:${named}`) {
    throw new Failure(`${printable(path)} is damaged: its bytes have the digest ${digest}`);
  }
  const json = (jsonOf(bytes, path) ?? {}) as Partial<Platform> & { rootfs?: { diff_ids?: unknown } };
  const ids = json.rootfs?.diff_ids ?? [];
  const diffIds = isTexts(ids) ? ids.map(parseDigest).filter((id) => id !== undefined) : [];
  if (diffIds.length !== layers.length)
    throw new Failure(`${printable(path)} does not tell the digests of the layers`);
  return { digest, content, diffIds, platform: json };
}

function pendingLayer(diffId: Digest, content: Content, scratch: Scratch): PendingBlob {
  const prepare = async (preparing: Preparing) =>
    (await isGzip(content))
      ? packedLayer(diffId, content, preparing)
      : packLayer(diffId, content, scratch, preparing);
  return { name: diffId, size: content.size, prepare };
}

async function isGzip(content: Content): Promise<boolean> {
  for await (const chunk of content.read()) return chunk.toString('hex', 0, 2) === '1f8b';
  return false;
}

/** Packs a layer into a file. The same layer gives the same bytes each time: gzip's header has no time in it. */
async function packLayer(
  diffId: Digest,
  content: Content,
  scratch: Scratch,
  { signal, onBytes }: Preparing,
): Promise<Blob> {
  const path = await scratch.file();
  const [plain, packed] = [createHash('sha256'), createHash('sha256')];
  const stages = [hashing(plain, onBytes), createGzip({ level: LEVEL }), hashing(packed)] as const;
  await pipeline(content.read(), ...stages, createWriteStream(path), { signal });
  expectLayer(diffId, plain);
  const { size } = await stat(path);
  const digest = `sha256:${packed.digest('hex')}` as Digest;
  return { digest, content: slice(path, 0, size), dispose: () => rm(path, { force: true }) };
}

/** A layer that whoever made the archive has packed already. */
async function packedLayer(diffId: Digest, content: Content, { signal, onBytes }: Preparing): Promise<Blob> {
  const [plain, packed] = [createHash('sha256'), createHash('sha256')];
  const stages = [hashing(packed, onBytes), createGunzip(), hashing(plain)] as const;
  await pipeline(content.read(), ...stages, nowhere, { signal }).catch((error: NodeJS.ErrnoException) => {
    throw error.code?.startsWith('Z_') ? new Failure(`layer ${diffId} is damaged: ${error.message}`) : error;
  });
  expectLayer(diffId, plain);
  return { digest: `sha256:${packed.digest('hex')}` as Digest, content };
}

function expectLayer(diffId: Digest, hash: Hash): void {
  const actual = `sha256:${hash.digest('hex')}`;
  if (actual !== diffId) throw new Failure(`layer ${diffId} is damaged: its bytes have the digest ${actual}`);
}

const hashing = (hash: Hash, onBytes?: Preparing['onBytes']) =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      onBytes?.(chunk.length);
      done(null, chunk);
    },
  });

async function nowhere(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

/** As docker itself writes it, down to the spaces. */
function manifestOf(config: Sent, layers: readonly Sent[]): ManifestFile {
  const descriptor = (mediaType: string, { digest, size }: Sent) => ({ mediaType, size, digest });
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: descriptor(CONFIG, config),
    layers: layers.map((layer) => descriptor(LAYER, layer)),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest, null, 3));
  return { mediaType: MANIFEST, digest: digestOf('sha256', bytes), bytes };
}
