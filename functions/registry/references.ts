import { MAX_REFERENCES } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import { manifestInvalid } from '../oci/errors.ts';
import type { ManifestReference } from '../oci/manifest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { type Attributes, type Key, MAX_OPERATIONS } from '../storage/table.ts';
import { blobKey, edgeKey, edgesTo, lastPartOf, manifestKey } from './keys.ts';
import type { Registry } from './registry.ts';
import type { Repository } from './repositories.ts';
import { touchAll } from './touch.ts';

/** The steps of a push before its commit: touches all that the manifest refers to, then writes its edges. Answers what
 *  the repository lacks; then there are no edges. */
export async function holdReferences(
  registry: Registry,
  { name, epoch }: Repository,
  manifest: Digest,
  references: readonly ManifestReference[],
): Promise<readonly Digest[]> {
  if (references.length > MAX_REFERENCES) throw manifestInvalid(`more than ${MAX_REFERENCES} references`);
  const wanted = references.flatMap((reference) =>
    candidates(name, reference).map((key) => ({ key, reference })),
  );
  const found = await touchAll(registry, { keys: wanted.map(({ key }) => key), epoch });
  const held = new Map<ManifestReference, Attributes>();
  for (const [index, { reference }] of wanted.entries()) {
    const attributes = found[index];
    if (attributes) held.set(reference, attributes);
  }
  const missing = references.filter((reference) => !held.has(reference) && !reference.optional);
  if (missing.length > 0) return missing.map(({ digest }) => digest);
  checkSizes(held);
  const edges = references.map(({ digest }) => edgeKey(name, digest, manifest));
  await touchAll(registry, { keys: edges, epoch, create: {} });
  return [];
}

/** Where a reference may be found; the child of an index is looked up both ways. */
function candidates(name: RepositoryName, { kind, digest }: ManifestReference): Key[] {
  if (kind === 'blob') return [blobKey(name, digest)];
  return kind === 'manifest'
    ? [manifestKey(name, digest)]
    : [manifestKey(name, digest), blobKey(name, digest)];
}

function checkSizes(held: ReadonlyMap<ManifestReference, Attributes>): void {
  for (const [{ digest, size }, attributes] of held) {
    // Clients check sizes when they pull: an image with a wrong one could never be used.
    if (attributes['size'] !== size) {
      throw manifestInvalid(`the descriptor of ${digest} says ${size} bytes, it has ${attributes['size']}`);
    }
  }
}

/** Existing manifests whose edges point at `target`, up to a hundred; empty where nothing uses it. Edges
 *  whose manifest does not exist (a push under way, or a deleted manifest) do not count. */
export async function manifestsUsing(
  { table }: Registry,
  name: RepositoryName,
  target: Digest,
): Promise<Digest[]> {
  let after: string | undefined;
  for (;;) {
    const range = { ...edgesTo(name, target), limit: MAX_OPERATIONS, keysOnly: true };
    const edges = await table.query({ ...range, ...(after !== undefined && { after }) });
    if (edges.length === 0) return [];
    const users = edges.map((edge) => lastPartOf(edge) as Digest);
    const found = await table.getMany(users.map((digest) => manifestKey(name, digest)));
    const existing = users.filter((_, index) => found[index] !== undefined);
    if (existing.length > 0 || edges.length < MAX_OPERATIONS) return existing;
    after = edges.at(-1)?.key.sort;
  }
}
