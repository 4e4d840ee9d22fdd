import { MAX_INLINE_ANNOTATION_BYTES, MAX_REFERRERS_BYTES } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import type { Descriptor, Manifest } from '../oci/manifest.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { itemBytes } from '../storage/item-size.ts';
import type { Item, Operation } from '../storage/table.ts';
import { afterReferrer, lastPartOf, referrerKey, referrersOf } from './keys.ts';
import { findManifest, readManifest } from './manifests.ts';
import type { Registry } from './registry.ts';

/** The item that lists a manifest under its subject, whether or not that exists; nothing without a subject. */
export function referrerOperation(
  name: RepositoryName,
  digest: Digest,
  { subject, mediaType, artifactType, annotations }: Manifest,
  size: number,
): Operation[] {
  if (!subject) return [];
  const text = JSON.stringify(annotations);
  const attributes = {
    mediaType,
    size,
    ...(artifactType && { artifactType }),
    ...(Buffer.byteLength(text) <= MAX_INLINE_ANNOTATION_BYTES && { annotations: text }),
  };
  return [{ put: referrerKey(name, subject, digest), attributes }];
}

/** `next` is the `last` of the page that follows; absent on the last page. */
export interface ReferrersPage {
  readonly descriptors: readonly Descriptor[];
  readonly next?: Digest;
}

export interface ReferrersQuery {
  readonly name: RepositoryName;
  readonly subject: Digest;
  /** @default any */
  readonly artifactType?: string;
  readonly last?: Digest;
}

/** Ours: referrers that one request looks at for those that the filter fits; some seconds on AWS. Where that is none, the page
 *  is empty and has a next one all the same; many clients read one page only, so it is more than anything has. */
const MAX_READ = 50_000;

/** Descriptors of the manifests whose subject is `subject` (end-12), in the order of their digests; empty
 *  where there are none, or no such repository. A page has 1 MiB, or one descriptor that is larger. */
export async function listReferrers(registry: Registry, query: ReferrersQuery): Promise<ReferrersPage> {
  const descriptors: Descriptor[] = [];
  let bytes = 0;
  for await (const { items, next } of referrerBatches(registry, query)) {
    for (const item of items) {
      const descriptor = await descriptorOf(registry, query.name, item);
      bytes += Buffer.byteLength(JSON.stringify(descriptor));
      const last = descriptors.at(-1);
      if (last && bytes > MAX_REFERRERS_BYTES) return { descriptors, next: last.digest };
      descriptors.push(descriptor);
    }
    if (next !== undefined) return { descriptors, next };
  }
  return { descriptors };
}

const FIRST_BATCH = 100;
const LARGEST_BATCH = 1000;

interface Batch {
  readonly items: readonly Item[];
  /** Where the next request goes on, if this one has read enough. */
  readonly next?: Digest;
}

async function* referrerBatches({ table }: Registry, query: ReferrersQuery): AsyncGenerator<Batch> {
  const { name, subject, artifactType } = query;
  const matches = (item: Item) =>
    artifactType === undefined || item.attributes['artifactType'] === artifactType;
  let after = query.last && afterReferrer(subject, query.last);
  let limit = FIRST_BATCH;
  for (let read = limit; ; read += limit) {
    const range = { ...referrersOf(name, subject), limit };
    const items = await table.query({ ...range, ...(after !== undefined && { after }) });
    const last = items.length === limit ? items.at(-1) : undefined;
    const isEnough = last && read >= MAX_READ;
    yield { items: items.filter(matches), ...(isEnough && { next: lastPartOf(last) as Digest }) };
    if (!last) return;
    after = last.key.sort;
    limit = batchAfter(items);
  }
}

/** As many more as are about a page, which is also what DynamoDB reads at once: annotations may be large. */
function batchAfter(items: readonly Item[]): number {
  const bytes = items.reduce((sum, { key, attributes }) => sum + itemBytes(key, attributes), 0);
  const inPage = Math.floor((items.length * MAX_REFERRERS_BYTES) / bytes);
  return Math.min(Math.max(inPage, FIRST_BATCH), LARGEST_BATCH);
}

async function descriptorOf(registry: Registry, name: RepositoryName, item: Item): Promise<Descriptor> {
  const { mediaType, size, artifactType, annotations } = item.attributes;
  const digest = lastPartOf(item) as Digest;
  const read =
    annotations === undefined
      ? await annotationsOf(registry, name, digest)
      : (JSON.parse(annotations as string) as Record<string, string>);
  return {
    mediaType: mediaType as string,
    digest,
    size: size as number,
    ...(artifactType !== undefined && { artifactType: artifactType as string }),
    ...(Object.keys(read).length > 0 && { annotations: read }),
  };
}

/** Annotations too large for the referrer's item are where they came from. */
async function annotationsOf(registry: Registry, name: RepositoryName, digest: Digest) {
  const stored = await findManifest(registry, name, { kind: 'digest', digest });
  if (!stored) return {}; // deleted since it was listed
  const body = new Response(await readManifest(registry, stored));
  return parseManifest(await body.bytes(), stored.mediaType).annotations;
}
