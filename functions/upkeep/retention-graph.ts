import type { Digest } from '../oci/digest.ts';
import { parseDigest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import {
  edgesOf,
  lastPartOf,
  manifestsOf,
  pullsOf,
  tagIn,
  tagIndexOf,
  tagsOf,
  targetOf,
} from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { tagHistory } from '../registry/tag-history.ts';
import type { Item } from '../storage/table.ts';
import { sortedPages } from './sorted-pages.ts';

/** A tag, and the manifest it is on. Times are milliseconds since 1970. */
export interface TagNode {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly taggedAt: number;
  readonly pulledAt?: number;
}

export interface ManifestNode {
  readonly digest: Digest;
  readonly subject?: Digest;
  readonly pushedAt: number;
  readonly pulledAt?: number;
  readonly touched: number;
  /** Since when it has no tag; absent where it never had one, or where nobody asks. */
  readonly untaggedAt?: number;
}

/** What a repository holds, without a byte of it. */
export interface Graph {
  readonly tags: readonly TagNode[];
  readonly manifests: ReadonlyMap<Digest, ManifestNode>;
  /** Of each index, the manifests it lists that are there. */
  readonly children: ReadonlyMap<Digest, readonly Digest[]>;
}

/** Items that carry manifests of up to 16 KiB each. */
const HEAVY_PAGE = 100;

/** Reads the graph: some hundred bytes for each tag and manifest, however large they are. `withUntagged` also looks up
 *  since when manifests without a tag have had none, with two queries or more for each. */
export async function readGraph(
  registry: Registry,
  name: RepositoryName,
  { withUntagged }: { readonly withUntagged: boolean },
): Promise<Graph> {
  const pulls = new Map(await collect(registry, pullsOf(name), pullOf));
  const tags = await collect(registry, tagsOf(name), (item) => tagNodeOf(item, pulls));
  const nodes = await collect(registry, manifestsOf(name), (item) => manifestNodeOf(item, pulls));
  const manifests = new Map(nodes.map((node) => [node.digest, node]));
  const children = new Map<Digest, Digest[]>();
  for await (const page of sortedPages(registry.table, { ...edgesOf(name), keysOnly: true })) {
    for (const edge of page) addChild(children, manifests, edge);
    await registry.giveWay?.();
  }
  if (withUntagged) await lookUpUntagged(registry, name, { tags, manifests });
  return { tags, manifests, children };
}

async function collect<T>(
  { table }: Registry,
  range: { readonly partition: string; readonly prefix: string },
  nodeOf: (item: Item) => T,
): Promise<T[]> {
  const nodes: T[] = [];
  for await (const page of sortedPages(table, range, HEAVY_PAGE)) nodes.push(...page.map(nodeOf));
  return nodes;
}

type Pulls = ReadonlyMap<string, number>;

const pullOf = (item: Item) => [lastPartOf(item), item.attributes['at'] as number] as const;

function tagNodeOf(item: Item, pulls: Pulls): TagNode {
  const { digest, taggedAt } = item.attributes;
  const pulledAt = pulls.get(tagIn(item));
  return {
    tag: tagIn(item),
    digest: digest as Digest,
    taggedAt: taggedAt as number,
    ...(pulledAt !== undefined && { pulledAt }),
  };
}

function manifestNodeOf(item: Item, pulls: Pulls): ManifestNode {
  const { subject, pushedAt, touched } = item.attributes;
  const pulledAt = pulls.get(lastPartOf(item));
  return {
    digest: lastPartOf(item) as Digest,
    pushedAt: pushedAt as number,
    touched: touched as number,
    ...(subject !== undefined && { subject: subject as Digest }),
    ...(pulledAt !== undefined && { pulledAt }),
  };
}

function addChild(children: Map<Digest, Digest[]>, manifests: Graph['manifests'], edge: Item): void {
  const [child, index] = [targetOf(edge), lastPartOf(edge) as Digest];
  if (!manifests.has(child) || !manifests.has(index)) return;
  const listed = children.get(index);
  if (listed) listed.push(child);
  else children.set(index, [child]);
}

async function lookUpUntagged(
  registry: Registry,
  name: RepositoryName,
  { tags, manifests }: { readonly tags: readonly TagNode[]; readonly manifests: Map<Digest, ManifestNode> },
): Promise<void> {
  const tagged = new Set(tags.map(({ digest }) => digest));
  for (const node of manifests.values()) {
    if (tagged.has(node.digest)) continue;
    const untaggedAt = await lastTaggedAt(registry, name, node.digest);
    if (untaggedAt !== undefined) manifests.set(node.digest, { ...node, untaggedAt });
  }
}

/** When the last of its tags moved on or was deleted, as far as the last hundred moves of each tell. */
async function lastTaggedAt(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
): Promise<number | undefined> {
  const entries = await registry.table.query({
    ...tagIndexOf(name, digest),
    limit: HEAVY_PAGE,
    keysOnly: true,
  });
  let last: number | undefined;
  for (const entry of entries) {
    const moves = await tagHistory(registry, name, lastPartOf(entry) as Tag); // the newest first
    const index = moves.findIndex((move) => move.digest === digest);
    const next = index > 0 ? moves[index - 1] : undefined;
    if (next) last = Math.max(last ?? 0, Date.parse(next.at));
  }
  return last;
}

/** The manifest that a tag belongs to by its name: cosign's `sha256-<hex>.sig`, `.att` and `.sbom`, and `sha256-<hex>` of
 *  clients that know no referrers API. */
export function ownerByName(tag: Tag): Digest | undefined {
  const [, algorithm, hex] = /^(sha256|sha512)-([0-9a-f]+)(?:\.(?:sig|att|sbom))?$/.exec(tag) ?? [];
  return algorithm === undefined ? undefined : parseDigest(`${algorithm}:${hex}`);
}
