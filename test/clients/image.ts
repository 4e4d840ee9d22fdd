import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  addFile,
  addJson,
  createLayout,
  type Descriptor,
  describeLayer,
  type Layer,
  layoutBlobs,
  linkOrCopy,
  MEDIA_TYPES,
  type Platform,
  sha256,
  tagLayout,
} from './layout.ts';
import { copyPrograms, debianRoot, packTree } from './rootfs.ts';

const MEGABYTE = 1_000_000;

const MEBIBYTE = 1024 * 1024;

/** How large what is sent is. */
interface Sizes {
  /** The last layer of the image: Debian, which is some 40 MB, or a shell and no more. */
  readonly base: 'debian' | 'shell';
  /** Layers between the small ones and the two large ones. */
  readonly middleMegabytes: readonly number[];
  readonly bigLayerMegabytes: number;
  /** Of a blob that is sent in chunks, the last one shorter. */
  readonly chunkBytes: number;
  readonly chunks: number;
}

/** Layers on either side of every limit there is: 4 MiB a request through Lambda, 5 MiB a part of S3's. The big one is
 *  above 200 MB also once packed: random bytes do not get smaller. 5 MiB is the least that a registry on S3 may ask for
 *  in a chunk. */
export const FULL: Sizes = {
  base: 'debian',
  middleMegabytes: [3, 6],
  bigLayerMegabytes: 210,
  chunkBytes: 5 * MEBIBYTE,
  chunks: 5,
};

/** Where only the answers matter. Chunks so small that several make one part in S3. */
export const SMALL: Sizes = {
  base: 'shell',
  middleMegabytes: [],
  bigLayerMegabytes: 3,
  chunkBytes: MEBIBYTE,
  chunks: 7,
};

/** Images carry a date; a fixed one, so that only their content makes their digest. */
const CREATED = '2024-01-01T00:00:00Z';

const COMMAND = '/usr/local/bin/stowage-hello';
/** What the script needs. */
const SHELL = ['sh', 'sha256sum', 'cut'];

const ENVIRONMENT = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The platform of this machine, the only one whose image can run here. */
const HOST: Platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
const FOREIGN: Platform = { os: 'linux', architecture: HOST.architecture === 'arm64' ? 'amd64' : 'arm64' };
const VARIANT: Platform = { os: 'linux', architecture: 'arm', variant: 'v7' };

/** One platform's image: the digests a client that unpacks it knows it by. */
interface PlatformImage {
  readonly platform: Platform;
  readonly descriptor: Descriptor;
  /** The config's digest, which docker and podman call the image's id. */
  readonly id: string;
  readonly layers: readonly Layer[];
  /** A directory with a Dockerfile that adds the same layers, for the clients that build. */
  readonly context: string;
}

/** An OCI layout and what is in it. */
export interface Layout {
  readonly directory: string;
  /** Of the image or index itself. */
  readonly descriptor: Descriptor;
  readonly platforms: readonly PlatformImage[];
  /** Every blob, manifests included; sorted. */
  readonly blobs: readonly string[];
}

export interface TestImages {
  readonly sizes: Sizes;
  /** Layers: a script, next to nothing, random bytes of several sizes, and Debian or a shell. */
  readonly image: Layout;
  /** An index of three platforms; the first is this machine's. */
  readonly index: Layout;
  /** A few hundred bytes in one layer, for checks where only the answer matters. */
  readonly tiny: Layout;
  /** What a container of `image` prints: the run, and the hash of the big layer's file as seen inside. */
  readonly greeting: string;
}

interface ImagesOptions {
  readonly directory: string;
  /** Keeps the Debian root. */
  readonly cache: string;
  readonly sizes: Sizes;
}

/** Makes the images of one run in `directory`; all but Debian is new each time. Debian's thousands of files come last: many clients
 *  keep a copy of all that is below a layer. */
export async function makeTestImages({ directory, cache, sizes }: ImagesOptions): Promise<TestImages> {
  const maker = new LayerMaker(directory);
  const base =
    sizes.base === 'debian' ? await describeLayer(await debianRoot(cache)) : await maker.shell(SHELL);
  const run = randomBytes(8).toString('hex');
  const big = await maker.random('big', sizes.bigLayerMegabytes * MEGABYTE);
  const script = await maker.script(run);
  const nothing = await maker.directory('nothing');
  const foreign = await maker.random('foreign', 3 * MEGABYTE);
  const variant = await maker.random('variant', MEGABYTE);
  const middle: Layer[] = [];
  for (const size of sizes.middleMegabytes) {
    middle.push((await maker.random(`middle-${size}`, size * MEGABYTE)).layer);
  }
  const layers = [script, nothing, ...middle, big.layer, base];
  return {
    sizes,
    image: await imageLayout(join(directory, 'image'), layers),
    index: await indexLayout(join(directory, 'index'), [
      [HOST, [script, base]],
      [FOREIGN, [foreign.layer, script]],
      [VARIANT, [variant.layer]],
    ]),
    tiny: await imageLayout(join(directory, 'tiny'), [script]),
    greeting: `stowage ${run} ${big.hash}`,
  };
}

/** How many layers images of a source have in common. */
const SHARED_LAYERS = 3;

/** Makes one small image after another: a shell, one of a few layers that they share, and one of its own. */
export class ImageSource {
  readonly #directory: string;
  readonly #maker: LayerMaker;
  readonly #shell: Layer;
  readonly #shared: readonly Layer[];
  #made = 0;

  private constructor(
    directory: string,
    maker: LayerMaker,
    [shell, ...shared]: readonly [Layer, ...Layer[]],
  ) {
    this.#directory = directory;
    this.#maker = maker;
    this.#shell = shell;
    this.#shared = shared;
  }

  static async open(directory: string): Promise<ImageSource> {
    await mkdir(directory);
    const maker = new LayerMaker(directory);
    const shared: Layer[] = [];
    for (let number = 0; number < SHARED_LAYERS; number += 1) {
      shared.push((await maker.random(`shared-${number}`, 2 * MEGABYTE)).layer);
    }
    return new ImageSource(directory, maker, [await maker.shell(SHELL), ...shared]);
  }

  async next(): Promise<Layout> {
    this.#made += 1;
    const name = `image-${this.#made}`;
    const shared = this.#shared[this.#made % SHARED_LAYERS];
    const own = (await this.#maker.random(`${name}-layer`, MEGABYTE)).layer;
    return imageLayout(join(this.#directory, name), [this.#shell, ...(shared ? [shared] : []), own]);
  }
}

class LayerMaker {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** One file of random bytes, `/srv/<name>.bin`. */
  async random(name: string, bytes: number): Promise<{ layer: Layer; hash: string }> {
    const root = join(this.#directory, `tree-${name}`);
    await mkdir(join(root, 'srv'), { recursive: true });
    const file = join(root, 'srv', `${name}.bin`);
    const handle = await open(file, 'w');
    for (let written = 0; written < bytes; written += MEGABYTE) await handle.write(randomBytes(MEGABYTE));
    await handle.close();
    const hash = (await sha256(createReadStream(file))).replace('sha256:', '');
    return { layer: await this.#pack(name, root), hash };
  }

  /** This machine's own programs, and what they are linked with. */
  async shell(programs: readonly string[]): Promise<Layer> {
    const root = join(this.#directory, 'tree-shell');
    await copyPrograms(programs, root);
    return await this.#pack('shell', root);
  }

  async script(run: string): Promise<Layer> {
    const root = join(this.#directory, 'tree-script');
    await mkdir(join(root, 'usr/local/bin'), { recursive: true });
    const text = `#!/bin/sh\necho "stowage ${run} $(sha256sum /srv/big.bin | cut -d' ' -f1)"\n`;
    await writeFile(join(root, COMMAND), text, { mode: 0o755 });
    return await this.#pack('script', root);
  }

  async directory(name: string): Promise<Layer> {
    const root = join(this.#directory, `tree-${name}`);
    await mkdir(join(root, 'srv', name), { recursive: true });
    return await this.#pack(name, root);
  }

  async #pack(name: string, root: string): Promise<Layer> {
    const file = join(this.#directory, `${name}.tar.gz`);
    await packTree(root, file);
    await rm(root, { recursive: true });
    return await describeLayer(file);
  }
}

async function imageLayout(directory: string, layers: readonly Layer[]): Promise<Layout> {
  await createLayout(directory);
  const image = await addImage(directory, HOST, layers);
  await tagLayout(directory, image.descriptor);
  const blobs = await layoutBlobs(directory);
  return { directory, descriptor: image.descriptor, platforms: [image], blobs };
}

async function indexLayout(
  directory: string,
  contents: ReadonlyArray<readonly [Platform, readonly Layer[]]>,
): Promise<Layout> {
  await createLayout(directory);
  const platforms: PlatformImage[] = [];
  for (const [platform, layers] of contents) platforms.push(await addImage(directory, platform, layers));
  const index = await addJson(directory, MEDIA_TYPES.index, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests: platforms.map(({ descriptor, platform }) => ({ ...descriptor, platform })),
  });
  await tagLayout(directory, index);
  return { directory, descriptor: index, platforms, blobs: await layoutBlobs(directory) };
}

async function addImage(
  directory: string,
  platform: Platform,
  layers: readonly Layer[],
): Promise<PlatformImage> {
  for (const layer of layers) await addFile(directory, layer.file, layer.descriptor.digest);
  const config = await addJson(directory, MEDIA_TYPES.config, {
    created: CREATED,
    ...platform,
    config: { Env: [ENVIRONMENT], Cmd: [COMMAND] },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ diffId }) => ({ created: CREATED, created_by: diffId })),
  });
  const descriptor = await addJson(directory, MEDIA_TYPES.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config,
    layers: layers.map((layer) => layer.descriptor),
  });
  const context = `${directory}-${platform.architecture}-context`;
  await writeContext(context, layers);
  return { platform, descriptor, id: config.digest, layers, context };
}

/**
 * The command stands after the first layer: before it, docker's builder forgets the platform asked for; after
 * the last, the vfs driver copies all of the image once more.
 */
async function writeContext(directory: string, layers: readonly Layer[]): Promise<void> {
  await mkdir(directory);
  const adds: string[] = [];
  for (const [position, { file }] of layers.entries()) {
    await linkOrCopy(file, join(directory, `${position}.tar.gz`));
    adds.push(`ADD ${position}.tar.gz /`);
  }
  const [first, ...rest] = adds;
  const lines = ['FROM scratch', first, `CMD ["${COMMAND}"]`, ...rest];
  await writeFile(join(directory, 'Dockerfile'), `${lines.join('\n')}\n`);
}
