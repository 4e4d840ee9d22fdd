import type { Digest } from '../../functions/oci/digest.ts';
import { Failure } from '../failure.ts';
import { printable } from '../text.ts';
import { dockerImage } from './docker-archive.ts';
import type { Content, Files } from './files.ts';
import type { Image, PendingBlob } from './image.ts';
import { type Descriptor, isAttestation, isIndex, Layout, Missing, type Tree } from './layout.ts';
import { type Choice, choose } from './names.ts';
import { fits, type Platform, platformText } from './platform.ts';
import type { Scratch } from './scratch.ts';

export interface ImageChoice extends Choice {
  readonly platform?: Platform | undefined;
}

/** The image to push among the files of an archive or folder. */
export async function openImage(files: Files, scratch: Scratch, choice: ImageChoice): Promise<Image> {
  const layout = new Layout(files);
  const images = await layout.images();
  if (images) {
    const chosen = await chooseTree(
      layout,
      choose(images, choice, ({ digest }) => digest),
      choice.platform,
    );
    const config = plainConfig(chosen.tree);
    // Docker's own store keeps layers unpacked; then docker packs them to push them, and so does this.
    const image = config && (await dockerImage(files, scratch, { ...choice, config }));
    return image ?? imageOf(chosen);
  }
  const image = await dockerImage(files, scratch, choice);
  if (image) return image;
  throw new Failure('it is no image: there is neither an index.json in it nor a manifest.json');
}

interface Chosen {
  readonly tree: Tree;
  readonly remark?: string;
}

async function chooseTree(layout: Layout, root: Descriptor, platform: Platform | undefined): Promise<Chosen> {
  if (platform) return { tree: await layout.tree(await chooseByPlatform(layout, root, platform)) };
  try {
    return { tree: await layout.tree(root) };
  } catch (error) {
    if (!(error instanceof Missing && isIndex(root))) throw error;
    return theCompleteOne(layout, root, error);
  }
}

async function chooseByPlatform(layout: Layout, root: Descriptor, platform: Platform): Promise<Descriptor> {
  const images = isIndex(root) ? await layout.children(root) : [root];
  const offered: string[] = [];
  for (const image of images) {
    if (isAttestation(image)) continue;
    const its = await layout.platformOf(image).catch((error: unknown) => {
      if (error instanceof Missing) return undefined;
      throw error;
    });
    if (fits(its, platform)) return image;
    offered.push(nameOf(its) ?? image.digest);
  }
  throw new Failure(
    `there is no image for ${platformText(platform)} in it, but for ${offered.join(', ') || 'none'}`,
  );
}

/** Docker keeps the index of an image of many platforms, and of the rest only what it has run. Where that is one
 *  image, it is what docker pushes too. */
async function theCompleteOne(layout: Layout, index: Descriptor, missing: Missing): Promise<Chosen> {
  const complete: { readonly tree: Tree; readonly platform: string }[] = [];
  for (const child of await layout.children(index)) {
    if (isAttestation(child)) continue;
    const tree = await layout.tree(child).catch((error: unknown) => {
      if (error instanceof Missing) return undefined;
      throw error;
    });
    if (tree) complete.push({ tree, platform: nameOf(child.platform) ?? child.digest });
  }
  const [only, ...others] = complete;
  if (!only) throw missing;
  if (others.length === 0) {
    return {
      tree: only.tree,
      remark: `of all its platforms only ${only.platform} is there, so only that is pushed`,
    };
  }
  const platforms = complete.map(({ platform }) => platform).join(', ');
  throw new Failure(`not all of its platforms are there; choose with --platform among ${platforms}`);
}

function nameOf({ os = '', architecture = '', variant = '' }: Partial<Platform> = {}): string | undefined {
  const parts = [os, architecture, variant].filter((part) => part !== '');
  return os && architecture ? printable(parts.join('/')) : undefined;
}

const PLAIN_LAYER =
  /"mediaType":\s*"application\/vnd\.(?:oci\.image\.layer\.v1|docker\.image\.rootfs\.diff)\.tar"/;

/** The config of an image with layers that are not packed. */
function plainConfig({ manifests, root }: Tree): Digest | undefined {
  const text = Buffer.from(root.bytes).toString('utf8');
  if (manifests.length > 1 || !PLAIN_LAYER.test(text)) return undefined;
  return (JSON.parse(text) as { config?: { digest: Digest } }).config?.digest;
}

function imageOf({ tree, remark }: Chosen): Image {
  const pending = ([digest, content]: readonly [Digest, Content]): PendingBlob => ({
    name: digest,
    size: content.size,
    prepare: async () => ({ digest, content }),
  });
  return {
    blobs: [...tree.blobs].map(pending),
    manifests: () => tree.manifests,
    ...(remark !== undefined && { remark }),
  };
}
