import { algorithmOf, type Digest, digestOf, parseDigest } from '../../functions/oci/digest.ts';
import { type Manifest, type ManifestReference, parseManifest } from '../../functions/oci/manifest.ts';
import { isIndexType } from '../../functions/oci/media-types.ts';
import { Failure } from '../failure.ts';
import { printable } from '../text.ts';
import { bytesOf, type Content, type Files } from './files.ts';
import type { ManifestFile } from './image.ts';
import type { Candidate } from './names.ts';
import type { Platform } from './platform.ts';

/** As large as registries take manifests. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** A descriptor as far as it says which image to choose. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Partial<Platform>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What it takes to read a manifest. */
type Named = Pick<Descriptor, 'digest' | 'size' | 'mediaType'>;

/** A manifest of the layout, with all it needs. */
export interface Tree {
  readonly root: ManifestFile;
  /** Children first; the last is the root. */
  readonly manifests: readonly ManifestFile[];
  readonly blobs: ReadonlyMap<Digest, Content>;
}

/** Content that a manifest names and the layout lacks. */
export class Missing extends Failure {}

/** An OCI image layout: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md */
export class Layout {
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  /** What `index.json` lists; `undefined` where there is none. */
  async images(): Promise<readonly Candidate<Descriptor>[] | undefined> {
    const index = await this.#files.find('index.json');
    if (!index) return undefined;
    const { manifests } = (jsonOf(await small(index, 'index.json'), 'index.json') ?? {}) as {
      manifests?: unknown;
    };
    if (!Array.isArray(manifests)) throw new Failure('its index.json lists no manifests');
    return manifests.map((entry: unknown) => {
      const value = descriptorOf(entry, 'index.json');
      return { names: [...namesOf(value), value.digest], value };
    });
  }

  /** A manifest whose bytes are what its digest says. */
  async manifest({ digest, size, mediaType }: Named) {
    const content = await this.#find(digest, size);
    const bytes = new Uint8Array(await small(content, digest));
    const actual = digestOf(algorithmOf(digest), bytes);
    if (actual !== digest)
      throw new Failure(`manifest ${digest} is damaged: its bytes have the digest ${actual}`);
    const parsed = parsedManifest(bytes, mediaType, digest);
    const file: ManifestFile = { digest, bytes, mediaType: parsed.mediaType };
    return { parsed, file };
  }

  /** The images that an index lists. */
  async children(index: Descriptor): Promise<readonly Descriptor[]> {
    const { file } = await this.manifest(index);
    const { manifests = [] } = jsonOf(file.bytes, index.digest) as { manifests?: readonly unknown[] };
    return manifests.map((entry) => descriptorOf(entry, index.digest));
  }

  /** The platform that an image's config tells. */
  async platformOf(image: Descriptor): Promise<Partial<Platform> | undefined> {
    if (image.platform) return image.platform;
    const { file } = await this.manifest(image);
    const { config } = jsonOf(file.bytes, image.digest) as { config?: unknown };
    if (config === undefined) return undefined;
    const { digest, size } = descriptorOf(config, image.digest);
    return jsonOf(await small(await this.#find(digest, size), digest), digest) as Partial<Platform>;
  }

  /** Everything under a manifest; rejects with `Missing` where not all of it is there. */
  async tree(root: Descriptor): Promise<Tree> {
    const manifests = new Map<Digest, ManifestFile>();
    const blobs = new Map<Digest, Content>();
    const visit = async (descriptor: Named) => {
      const { parsed, file } = await this.manifest(descriptor);
      const fresh = parsed.references.filter(({ digest }) => !manifests.has(digest) && !blobs.has(digest));
      for (const reference of fresh) {
        if (reference.kind === 'manifest') await visit({ ...reference, mediaType: '' });
        else await this.#collect(reference, blobs);
      }
      manifests.set(descriptor.digest, file);
      return file;
    };
    return { root: await visit(root), manifests: [...manifests.values()], blobs };
  }

  /** Layers that nobody may pass on may be missing anywhere. */
  async #collect({ digest, size, optional }: ManifestReference, into: Map<Digest, Content>): Promise<void> {
    try {
      into.set(digest, await this.#find(digest, size));
    } catch (error) {
      if (!(optional && error instanceof Missing)) throw error;
    }
  }

  async #find(digest: Digest, size: number): Promise<Content> {
    const content = await this.#files.find(`blobs/${digest.replace(':', '/')}`);
    if (!content) throw new Missing(`it is incomplete: there is no ${digest} in it`);
    if (content.size === size) return content;
    throw new Failure(`${digest} is damaged: it has ${content.size} bytes, where its manifest says ${size}`);
  }
}

/** BuildKit lists what it attests about an image beside the image. */
export const isAttestation = ({ annotations, platform }: Descriptor) =>
  annotations?.['vnd.docker.reference.type'] !== undefined || platform?.os === 'unknown';

export const isIndex = ({ mediaType }: { readonly mediaType: string }) => isIndexType(mediaType);

/** What containerd, docker and everybody else call an image in `index.json`. */
function namesOf({ annotations = {} }: Descriptor): string[] {
  const keys = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];
  return keys.map((key) => annotations[key]).filter((name) => name !== undefined);
}

/** All of a file that somebody else made and that has to fit into memory. */
export async function small(content: Content, name: string): Promise<Buffer> {
  if (content.size <= MAX_MANIFEST_BYTES) return bytesOf(content);
  throw new Failure(`${printable(name)} is larger than ${MAX_MANIFEST_BYTES} bytes`);
}

export function jsonOf(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new Failure(`${printable(name)} is not JSON`);
  }
}

function descriptorOf(entry: unknown, where: string): Descriptor {
  const { digest, size, mediaType } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  const parsed = typeof digest === 'string' ? parseDigest(digest) : undefined;
  if (parsed && Number.isSafeInteger(size) && typeof mediaType === 'string') return entry as Descriptor;
  throw new Failure(`${where} lists something without digest, size or media type`);
}

function parsedManifest(bytes: Uint8Array, mediaType: string, digest: Digest): Manifest {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    throw new Failure(`${digest}: ${error instanceof Error ? printable(error.message) : error}`);
  }
}
