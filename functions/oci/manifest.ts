import { type Digest, parseDigest } from './digest.ts';
import { manifestInvalid } from './errors.ts';
import { isIndexType, isManifestType, isNonDistributable, type ManifestMediaType } from './media-types.ts';
import { parseJson, requireReadable } from './readable.ts';

/** What a manifest says about content it points at.
 *  https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What a repository must hold for a manifest to be pullable; `optional` for layers that may live elsewhere. */
export interface ManifestReference {
  readonly digest: Digest;
  /** Bytes, as every descriptor of this digest in the manifest says. */
  readonly size: number;
  /** A `child` of an index is a manifest, or a blob where its media type is none of a manifest (BuildKit's cache). */
  readonly kind: 'blob' | 'manifest' | 'child';
  readonly optional: boolean;
}

/** A manifest that has been checked as far as that is possible without looking at the repository. */
export interface Manifest {
  readonly mediaType: ManifestMediaType;
  readonly references: readonly ManifestReference[];
  readonly subject?: Digest;
  readonly artifactType?: string;
  readonly annotations: Readonly<Record<string, string>>;
}

type Json = Readonly<Record<string, unknown>>;

/** A media type has 255 characters at the most (RFC 6838); lists of referrers carry it. */
const MAX_TYPE_LENGTH = 255;

/** Types that clients send when they know none; the manifest's own `mediaType` or its shape decides then. */
const UNTYPED = new Set(['', 'application/json', 'application/octet-stream']);

/** Reads a manifest or index, OCI 1.1 or Docker schema 2; throws MANIFEST_INVALID with the reason.
 *  https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md */
export function parseManifest(bytes: Uint8Array, contentType: string): Manifest {
  const json = object(parseJson(bytes), 'the body');
  requireReadable(json);
  if (json['schemaVersion'] !== 2) throw manifestInvalid('schemaVersion must be 2');
  const mediaType = mediaTypeOf(json, contentType);
  const references = isIndexType(mediaType) ? indexReferences(json) : imageReferences(json);
  const subject = isAbsent(json['subject']) ? undefined : descriptor(json['subject'], 'subject').digest;
  const artifactType = artifactTypeOf(json, mediaType);
  return {
    mediaType,
    references: unique(references),
    ...(subject && { subject }),
    ...(artifactType && { artifactType }),
    annotations: annotationsOf(json),
  };
}

function object(json: unknown, what: string): Json {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw manifestInvalid(`${what} is not an object`);
  }
  return json as Json;
}

function mediaTypeOf(json: Json, contentType: string): ManifestMediaType {
  const sent = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const own = json['mediaType'] ?? '';
  if (typeof own !== 'string') throw manifestInvalid('mediaType is not a string');
  if (!UNTYPED.has(sent) && own !== '' && own !== sent) {
    throw manifestInvalid(`mediaType ${quote(own)} differs from Content-Type ${quote(sent)}`);
  }
  const mediaType = own || (UNTYPED.has(sent) ? 'missing' : sent);
  if (!isManifestType(mediaType)) {
    throw manifestInvalid(`media type ${quote(mediaType)} is none of OCI 1.1 or Docker schema 2`);
  }
  return mediaType;
}

function imageReferences(json: Json): ManifestReference[] {
  if (!isAbsent(json['manifests'])) throw manifestInvalid('an image manifest has no manifests');
  const config = descriptor(json['config'], 'config');
  const layers = descriptors(json['layers'], 'layers');
  return [config, ...layers].map(({ digest, size, mediaType }) => ({
    digest,
    size,
    kind: 'blob',
    optional: isNonDistributable(mediaType),
  }));
}

function indexReferences(json: Json): ManifestReference[] {
  if (!isAbsent(json['layers'])) throw manifestInvalid('an index has no layers');
  return descriptors(json['manifests'], 'manifests').map(({ digest, size, mediaType }) => ({
    digest,
    size,
    kind: isManifestType(mediaType) ? 'manifest' : 'child',
    optional: false,
  }));
}

function descriptors(json: unknown, where: string): Descriptor[] {
  // Go writes an empty list that was never made as null; registries have always taken it.
  if (json === null) return [];
  if (!Array.isArray(json)) throw manifestInvalid(`${where} is not an array`);
  return json.map((entry, index) => descriptor(entry, `${where}[${index}]`));
}

function descriptor(json: unknown, where: string): Descriptor {
  const { mediaType, digest, size } = object(json, where);
  const parsed = typeof digest === 'string' ? parseDigest(digest) : undefined;
  if (!parsed) throw manifestInvalid(`${where} has no valid digest`);
  if (typeof mediaType !== 'string' || mediaType === '') throw manifestInvalid(`${where} has no mediaType`);
  if (!Number.isSafeInteger(size) || (size as number) < 0)
    throw manifestInvalid(`${where} has no valid size`);
  return { mediaType, digest: parsed, size: size as number };
}

/** The type a referrers listing shows: an image without its own falls back to that of its config.
 *  https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers */
function artifactTypeOf(json: Json, mediaType: string): string | undefined {
  const own = json['artifactType'] ?? '';
  if (typeof own !== 'string') throw manifestInvalid('artifactType is not a string');
  const type = own !== '' || isIndexType(mediaType) ? own : descriptor(json['config'], 'config').mediaType;
  if ((type?.length ?? 0) > MAX_TYPE_LENGTH)
    throw manifestInvalid(
      `artifactType, or the media type of config, has more than ${MAX_TYPE_LENGTH} characters`,
    );
  return type || undefined;
}

/** Go reads an annotation that is null as an empty one. */
function annotationsOf(json: Json): Readonly<Record<string, string>> {
  const entries = Object.entries((json['annotations'] ?? {}) as Readonly<Record<string, string | null>>);
  return Object.fromEntries(entries.map(([key, value]) => [key, value ?? '']));
}

/** A layer may stand twice in an image: one reference is enough, unless the two contradict each other. */
function unique(references: readonly ManifestReference[]): ManifestReference[] {
  const byDigest = new Map<Digest, ManifestReference>();
  for (const reference of references) {
    const seen = byDigest.get(reference.digest);
    if (seen && seen.size !== reference.size) throw manifestInvalid(`two sizes for ${reference.digest}`);
    byDigest.set(reference.digest, seen?.optional === false ? seen : reference);
  }
  return [...byDigest.values()];
}

const isAbsent = (json: unknown) => json === undefined || json === null;

const quote = (text: string) => JSON.stringify(text.slice(0, 120));
