import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createGunzip } from 'node:zlib';

/** An OCI image layout on disk: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md */

export const MEDIA_TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

/** The only tag used: in the layouts, and in every repository pushed to. Helm wants a version. */
export const TAG: string = '1.0.0';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A gzipped tar on disk, and the two digests an image knows it by. */
export interface Layer {
  readonly file: string;
  readonly descriptor: Descriptor;
  /** The digest of the tar inside. */
  readonly diffId: string;
}

/** Hashes everything that `chunks` yields. */
export async function sha256(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

export async function describeLayer(file: string): Promise<Layer> {
  const [digest, diffId, { size }] = await Promise.all([
    sha256(createReadStream(file)),
    sha256(createReadStream(file).pipe(createGunzip())),
    stat(file),
  ]);
  return { file, descriptor: { mediaType: MEDIA_TYPES.layer, digest, size }, diffId };
}

/** Starts an empty layout in `directory`. */
export async function createLayout(directory: string): Promise<void> {
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

/** Adds a file as a blob. */
export async function addFile(directory: string, file: string, digest: string): Promise<void> {
  await linkOrCopy(file, blobFile(directory, digest));
}

/** A second name for a file; a copy of it on another file system. Nothing to do if `target` is there. */
export async function linkOrCopy(file: string, target: string): Promise<void> {
  try {
    await link(file, target);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EEXIST') await copyFile(file, target);
  }
}

export async function addJson(directory: string, mediaType: string, value: unknown): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  await writeFile(blobFile(directory, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

/** Makes `target` the one thing the layout holds, under `TAG`. */
export async function tagLayout(directory: string, target: Descriptor): Promise<void> {
  const annotations = { 'org.opencontainers.image.ref.name': TAG };
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [{ ...target, annotations }] };
  await writeFile(join(directory, 'index.json'), JSON.stringify(index));
}

/** The digest of what the layout's `index.json` lists first. */
export async function layoutDigest(directory: string): Promise<string> {
  const index = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8')) as {
    manifests: Descriptor[];
  };
  const [first] = index.manifests;
  if (first === undefined) throw new Error(`${basename(directory)}/index.json lists nothing`);
  return first.digest;
}

/** Hashes every blob of a layout; throws if one is not what its name says. Sorted. */
export async function layoutBlobs(directory: string): Promise<string[]> {
  return await hashedBlobs(join(directory, 'blobs/sha256'));
}

/** The same for any directory whose files are named by the hexadecimal half of their digest, and there for those of
 *  `wanted` only: others may be on their way out. */
export async function hashedBlobs(directory: string, wanted?: readonly string[]): Promise<string[]> {
  const digests: string[] = [];
  for (const name of (await readdir(directory)).sort()) {
    if (wanted && !wanted.includes(`sha256:${name}`)) continue;
    const digest = await sha256(createReadStream(join(directory, name)));
    if (digest !== `sha256:${name}`) throw new Error(`blob ${name} has the digest ${digest}`);
    digests.push(digest);
  }
  return digests;
}

function blobFile(directory: string, digest: string): string {
  return join(directory, 'blobs/sha256', digest.replace('sha256:', ''));
}
