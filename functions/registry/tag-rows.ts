import type { Digest } from '../oci/digest.ts';
import { anyGlobOf } from '../oci/glob.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { factsOf, type ImageFacts, kindOfManifest, type ManifestKind } from './image-facts.ts';
import { policiesKey, tagKey } from './keys.ts';
import { immutableBy, type Policy, rulesIn } from './policies.ts';
import type { Registry } from './registry.ts';
import { lastPulls } from './tag-details.ts';
import { detailsOf, type TagDetails } from './tags.ts';

/** A tag as a list of them shows it. */
export interface TagRow extends TagDetails, ImageFacts {
  readonly kind: ManifestKind;
  /** Milliseconds since 1970, to the day. */
  readonly lastPulledAt?: number;
  /** The policy that keeps it where it is, and the one that keeps it from retention. */
  readonly immutableBy?: string;
  readonly pinnedBy?: string;
}

/** What is known of up to 100 tags, by four reads; `missing` are those that are there no more. */
export async function tagRows(
  registry: Registry,
  name: RepositoryName,
  tags: readonly Tag[],
): Promise<{ readonly rows: readonly TagRow[]; readonly missing: readonly Tag[] }> {
  if (tags.length === 0) return { rows: [], missing: [] };
  const { table } = registry;
  const [stored, found] = await Promise.all([
    table.get(policiesKey),
    table.getMany(tags.map((tag) => tagKey(name, tag))),
  ]);
  const { policies } = rulesIn(stored, name);
  const there = tags.flatMap((tag, index) => (found[index] ? [{ tag, attributes: found[index] }] : []));
  const places = there.map(({ tag, attributes }) => ({ tag, digest: attributes['digest'] as Digest }));
  const pulled = await lastPulls(registry, name, places);
  const pins = policies.map((policy) => [policy, anyGlobOf(policy.retention?.pins ?? [])] as const);
  const rows = there.map(({ tag, attributes }, index): TagRow => {
    const details = detailsOf(tag, attributes);
    const facts = factsOf(attributes);
    const [immutable, pinning] = [immutableBy(policies, tag), pins.find(([, pins]) => pins(tag))?.[0]];
    const at = pulled[index];
    return {
      ...details,
      ...facts,
      kind: kindOfManifest(details.mediaType, facts),
      ...(at !== undefined && { lastPulledAt: at }),
      ...namedAs('immutableBy', immutable),
      ...namedAs('pinnedBy', pinning),
    };
  });
  return { rows, missing: tags.filter((_, index) => !found[index]) };
}

const namedAs = (field: 'immutableBy' | 'pinnedBy', policy: Policy | undefined) =>
  policy ? { [field]: policy.name } : {};
