import { createHash, randomFillSync } from 'node:crypto';

/** Bytes generated at once for a blob larger than this; the blob is then that block repeated. */
const BLOCK_BYTES = 16 * 1024 * 1024;

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** `block`, `repeat` times, is a blob; its digest is computed before any clock starts. */
export interface Blob {
  readonly digest: string;
  readonly size: number;
  readonly block: Buffer;
  readonly repeat: number;
}

/** Random bytes nobody has sent before. A size above 16 MiB must be a multiple of it. */
export function randomBlob(size: number): Blob {
  const block = randomFillSync(Buffer.allocUnsafeSlow(Math.min(size, BLOCK_BYTES)));
  const repeat = size / block.length;
  if (!Number.isInteger(repeat)) {
    throw new Error(`a blob of ${size} bytes is not a multiple of ${block.length}`);
  }
  return { digest: digestOf(block, repeat), size, block, repeat };
}

/** An image manifest; different annotations make different manifests over the same blobs. */
export function manifestOf(config: Blob, layers: readonly Blob[], annotation: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: descriptor(CONFIG_TYPE, config),
      layers: layers.map((layer) => descriptor(LAYER_TYPE, layer)),
      annotations: { 'org.opencontainers.image.title': annotation },
    }),
  );
}

function descriptor(mediaType: string, { digest, size }: Blob): object {
  return { mediaType, digest, size };
}

export const digestOfBytes = (bytes: Buffer) => digestOf(bytes, 1);

function digestOf(block: Buffer, repeat: number): string {
  const hash = createHash('sha256');
  for (let round = 0; round < repeat; round++) {
    hash.update(block);
  }
  return `sha256:${hash.digest('hex')}`;
}
