import { createHash } from 'node:crypto';

/** Bytes with the digest and size a descriptor of them carries. */
export interface Content {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: string;
  readonly size: number;
}

/** A manifest as it is pushed: its bytes and the Content-Type they travel under. */
export interface ManifestContent extends Content {
  readonly mediaType: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Record<string, string>;
}

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const OCI_EMPTY = 'application/vnd.oci.empty.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
export const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

/** What a registry is expected to take as one manifest, and the most this one takes. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

type Algorithm = 'sha256' | 'sha512';

export function digestOf(bytes: Uint8Array, algorithm: Algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

export function blob(content: string | Uint8Array, algorithm: Algorithm = 'sha256'): Content {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content);
  return { bytes, digest: digestOf(bytes, algorithm), size: bytes.length };
}

/** The manifest whose bytes are exactly `text`. */
export function manifestOf(
  text: string,
  mediaType = OCI_MANIFEST,
  algorithm: Algorithm = 'sha256',
): ManifestContent {
  return { ...blob(text, algorithm), mediaType };
}

export function describe(content: Content, mediaType: string): Descriptor {
  return { mediaType, digest: content.digest, size: content.size };
}

export function describeManifest({ mediaType, digest, size }: ManifestContent): Descriptor {
  return { mediaType, digest, size };
}

export const config = blob('{"architecture":"amd64","os":"linux"}');
export const layer = blob('the bytes of a layer');
export const otherLayer = blob('the bytes of another layer');
export const emptyJson = blob('{}');

/** The fields of an image manifest over `config` and `layer`; rows replace what they are about. */
export const imageFields = {
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: describe(config, OCI_CONFIG),
  layers: [describe(layer, OCI_LAYER)],
};

/** An OCI image over `config` and `layer`, with `changes` to its fields. */
export function image(changes: object = {}, algorithm: Algorithm = 'sha256'): ManifestContent {
  return manifestOf(JSON.stringify({ ...imageFields, ...changes }), OCI_MANIFEST, algorithm);
}

/** An OCI index of `children`, with `changes` to its fields. */
export function index(children: readonly ManifestContent[], changes: object = {}): ManifestContent {
  const fields = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: children.map(describeManifest) };
  return manifestOf(JSON.stringify({ ...fields, ...changes }), OCI_INDEX);
}

/** An artifact without config or layers of its own: the empty descriptor stands for both. */
export function artifact(changes: object = {}): ManifestContent {
  const empty = describe(emptyJson, OCI_EMPTY);
  return image({
    artifactType: 'application/vnd.example.sbom',
    config: empty,
    layers: [empty],
    ...changes,
  });
}

/** An image of exactly `size` bytes, filled with one long annotation. */
export function imageOfSize(size: number): ManifestContent {
  const fill = (length: number) => image({ annotations: { filler: 'x'.repeat(length) } });
  return fill(size - fill(0).size);
}
