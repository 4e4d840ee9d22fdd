import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { scratch } from '../scratch.ts';
import {
  blob,
  type Content,
  type Descriptor,
  describe,
  describeManifest,
  digestOf,
  image,
  index,
  type ManifestContent,
  OCI_CONFIG,
  OCI_LAYER,
} from '../wire/content.ts';

/** An image and all that belongs to it. */
export interface Made {
  readonly manifest: ManifestContent;
  readonly blobs: readonly Content[];
}

/** An image of these layers; what they hold is text, or so many bytes that nothing can pack. */
export function imageOf(layers: readonly (string | Uint8Array)[], platform = 'linux/amd64'): Made {
  const [os, architecture] = platform.split('/');
  const packed = layers.map((layer) => blob(gzipSync(layer)));
  const diff_ids = layers.map((layer) => blob(layer).digest);
  const config = blob(JSON.stringify({ os, architecture, rootfs: { type: 'layers', diff_ids } }));
  const manifest = image({
    config: describe(config, OCI_CONFIG),
    layers: packed.map((layer) => describe(layer, OCI_LAYER)),
  });
  return { manifest, blobs: [config, ...packed] };
}

/** An index of images, each under its platform. */
export function indexOf(images: Readonly<Record<string, Made>>): Made & { readonly children: Made[] } {
  const manifests = Object.entries(images).map(([platform, { manifest }]) => {
    const [os, architecture] = platform.split('/');
    return { ...describeManifest(manifest), platform: { os, architecture } };
  });
  const children = Object.values(images);
  return { manifest: index([], { manifests }), blobs: children.flatMap(({ blobs }) => blobs), children };
}

const blobPath = (digest: string) => `blobs/${digest.replace(':', '/')}`;

type Names = Readonly<Record<string, string>>;

interface LayoutEntry {
  readonly made: Made & { readonly children?: readonly Made[] };
  readonly names?: Names;
}

/** A folder that is an OCI image layout. */
export async function writeLayout(...entries: readonly LayoutEntry[]): Promise<string> {
  const folder = await scratch();
  const listed: Descriptor[] = [];
  for (const { made, names } of entries) {
    const manifests = [made.manifest, ...(made.children ?? []).map(({ manifest }) => manifest)];
    for (const { digest, bytes } of [...manifests, ...made.blobs]) await put(folder, blobPath(digest), bytes);
    listed.push({ ...describeManifest(made.manifest), ...(names && { annotations: names }) });
  }
  await put(folder, 'oci-layout', '{"imageLayoutVersion":"1.0.0"}');
  await put(folder, 'index.json', JSON.stringify({ schemaVersion: 2, manifests: listed }));
  return folder;
}

/** What `docker save` wrote before it wrote layouts: plain layers, of which a repeated one is a link. */
export async function writeDockerSave(layers: readonly Uint8Array[], tags: readonly string[]) {
  const folder = await scratch();
  const diff_ids = layers.map((layer) => digestOf(layer));
  const config = blob(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids } }));
  const configName = `${config.digest.slice(7)}.json`;
  await put(folder, configName, config.bytes);
  const paths = new Map<string, string>();
  const names: string[] = [];
  for (const [number, layer] of layers.entries()) {
    const name = `${number}`.padStart(64, '0');
    const before = paths.get(digestOf(layer));
    if (before === undefined) await put(folder, `${name}/layer.tar`, layer);
    else await link(folder, `${name}/layer.tar`, `../${before}`);
    paths.set(digestOf(layer), `${name}/layer.tar`);
    names.push(`${name}/layer.tar`);
  }
  await put(folder, 'manifest.json', JSON.stringify([{ Config: configName, RepoTags: tags, Layers: names }]));
  return { folder, config };
}

async function put(folder: string, path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

async function link(folder: string, path: string, target: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await symlink(target, join(folder, path));
}

/** A folder as a tar archive, by the tar of this machine. */
export async function archive(folder: string, ...options: readonly string[]): Promise<string> {
  const path = join(await scratch(), 'image.tar');
  execFileSync('tar', ['-C', folder, ...options, '-cf', path, '.']);
  return path;
}
