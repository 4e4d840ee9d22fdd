import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';

// What clients push: few blobs and manifests, so that they meet at the same ones again and again.

export const REPOSITORIES = ['app', 'lib'] as RepositoryName[];
export const TAGS = ['v1', 'v2'] as Tag[];

export interface SimulatedBlob {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

export interface SimulatedManifest {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly blobs: readonly SimulatedBlob[];
  readonly children: readonly SimulatedManifest[];
}

const names = new Map<string, string>();

function blob(name: string, text = name): SimulatedBlob {
  const bytes = Buffer.from(text);
  const digest = digestOf('sha256', bytes);
  names.set(digest, name);
  return { name, bytes, digest };
}

const IMAGE_TYPE = 'application/vnd.oci.image.manifest.v1+json';

const descriptorOf = ({ digest, bytes }: SimulatedBlob | SimulatedManifest, mediaType: string) => ({
  mediaType,
  digest,
  size: bytes.length,
});

function image(name: string, blobs: readonly SimulatedBlob[], extra: object = {}): SimulatedManifest {
  const [config, ...layers] = blobs.map((each) => descriptorOf(each, 'application/octet-stream'));
  const json = { schemaVersion: 2, mediaType: IMAGE_TYPE, config, layers, ...extra };
  return manifest(name, json, blobs, []);
}

function index(name: string, ...children: SimulatedManifest[]): SimulatedManifest {
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const manifests = children.map((child) => descriptorOf(child, IMAGE_TYPE));
  return manifest(name, { schemaVersion: 2, mediaType, manifests }, [], children);
}

function manifest(
  name: string,
  json: object,
  blobs: readonly SimulatedBlob[],
  children: readonly SimulatedManifest[],
): SimulatedManifest {
  const bytes = Buffer.from(JSON.stringify(json));
  const digest = digestOf('sha256', bytes);
  names.set(digest, name);
  return { name, bytes, digest, blobs, children };
}

/** Of less than a part, of two parts, and of three. */
const [a, b, c, d] = [
  blob('blob-a', 'aaa'),
  blob('blob-b', 'the bytes of b'),
  blob('blob-c', 'ccccc'),
  blob('blob-d', 'all the bytes of blob-d'),
];
const one = image('image-ab', [a, b]);
const two = image('image-bc', [b, c]);
/** Too large for its item: its bytes are an object. */
const large = image('large-b', [b], { annotations: { padding: 'x'.repeat(17_000) } });
const signature = image('signature-d', [d], { subject: descriptorOf(one, IMAGE_TYPE) });

export const BLOBS = [a, b, c, d];
export const MANIFESTS = [one, two, large, signature, index('index-both', one, two), index('index-ab', one)];

/** What uploads are put together of: less than a part, just one, and more than one, which leaves odd bytes over. */
const TEXTS = ['f', 'more', 'evil', 'one-part', 'nine char', 'part-and-a-half', `${'12345678'.repeat(3)}9`];
export const PIECES: readonly Uint8Array[] = TEXTS.map((text) => Buffer.from(text));

const byDigest = new Map(MANIFESTS.map((each) => [each.digest as string, each]));

export const manifestOf = (digest: string): SimulatedManifest | undefined => byDigest.get(digest);

/** The text with names in the place of digests. */
export function named(text: string): string {
  return text.replaceAll(/sha256:[0-9a-f]{64}/g, (digest) => names.get(digest) ?? digest);
}
