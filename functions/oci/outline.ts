import { type Digest, parseDigest } from './digest.ts';

/** What a manifest says of how large it is and what it runs on. Read leniently: one that says nothing that can be understood has an
 *  empty outline. */
export interface Outline {
  /** What it uses itself, by digest: bytes. */
  readonly blobs: ReadonlyMap<Digest, number>;
  /** Of an image. */
  readonly config?: Piece;
  readonly artifactType?: string;
  /** Of an index. */
  readonly images: readonly Listed[];
}

interface Piece {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
}

/** An image of an index. */
interface Listed {
  readonly digest: Digest;
  /** `linux/arm64/v8`; absent where it is not said, and of what BuildKit attests. */
  readonly platform?: string;
}

type Json = Readonly<Record<string, unknown>>;

export function outlineOf(bytes: Uint8Array): Outline {
  const json = jsonIn(bytes);
  const config = pieceOf(json['config']);
  const layers = listIn(json['layers']).flatMap((layer) => pieceOf(layer) ?? []);
  const pieces = config ? [config, ...layers] : layers;
  const artifactType = json['artifactType'];
  return {
    blobs: new Map(pieces.map(({ digest, size }) => [digest, size])),
    ...(config && { config }),
    ...(typeof artifactType === 'string' && artifactType !== '' && { artifactType }),
    images: listIn(json['manifests']).flatMap((entry) => listedOf(entry) ?? []),
  };
}

/** Media types of configs that say what an image runs on. */
const IMAGE_CONFIGS = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
];

export const isImageConfig = ({ mediaType }: Pick<Piece, 'mediaType'>) => IMAGE_CONFIGS.includes(mediaType);

/** The platform that a config, or a `platform` of an index, names; `undefined` where it names none.
 *  https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md */
function platformIn(json: unknown): string | undefined {
  const { os, architecture, variant } = objectIn(json);
  const parts = [os, architecture, variant].filter((part) => typeof part === 'string' && part !== '');
  const text = parts.join('/').slice(0, MAX_PLATFORM);
  return typeof os !== 'string' || os === '' || os === 'unknown' ? undefined : text;
}

/** As `platformIn`, of the bytes of a config. */
export const platformOfConfig = (bytes: Uint8Array) => platformIn(jsonIn(bytes));

const MAX_PLATFORM = 100;

function listedOf(entry: unknown): Listed | undefined {
  const piece = pieceOf(entry);
  const platform = platformIn(objectIn(entry)['platform']);
  return piece && { digest: piece.digest, ...(platform !== undefined && { platform }) };
}

function pieceOf(entry: unknown): Piece | undefined {
  const { digest, size, mediaType } = objectIn(entry);
  const parsed = typeof digest === 'string' ? parseDigest(digest) : undefined;
  if (!parsed || typeof size !== 'number') return undefined;
  return { digest: parsed, size, mediaType: typeof mediaType === 'string' ? mediaType : '' };
}

function jsonIn(bytes: Uint8Array): Json {
  try {
    return objectIn(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return {};
  }
}

const objectIn = (json: unknown): Json => (typeof json === 'object' && json !== null ? (json as Json) : {});
const listIn = (json: unknown): readonly unknown[] => (Array.isArray(json) ? json : []);
