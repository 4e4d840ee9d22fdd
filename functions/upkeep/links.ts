import type { Digest } from '../oci/digest.ts';
import { unlinkOperations } from '../registry/blobs.ts';
import {
  afterBlob,
  afterEdgesTo,
  blobsOf,
  digestKey,
  edgesOf,
  gravesOf,
  lastPartOf,
  manifestsOf,
} from '../registry/keys.ts';
import { equals, type Item, type Operation } from '../storage/table.ts';
import { DigestSet } from './digest-set.ts';
import { Edges } from './edges.ts';
import { sortedPages } from './sorted-pages.ts';
import { expectSoon, isOver, mayGoFrom, type Position, type Sweep, untouchedSince } from './stage.ts';

/** Four operations a link, in 100 a transaction. */
const LINKS_AT_ONCE = 25;

/** Removes edges whose manifest is gone, and blob links that no edge points to. Both are read once, in the order of their
 *  digests, side by side: a sweep costs what it reads, not a question for each blob. `after` is a digest. */
export async function sweepLinks(sweep: Sweep, after: Position) {
  const { registry, name } = sweep;
  const start = after as Digest | undefined;
  const edges = new Edges(sweep, edgePages(sweep, start), await thereOrBuried(sweep));
  const from = start === undefined ? {} : { after: afterBlob(start) };
  for await (const page of sortedPages(registry.table, { ...blobsOf(name), ...from })) {
    const unused: Item[] = [];
    for (const link of page) {
      const isUsed = await edges.hold(digestOf(link));
      if (!isUsed) unused.push(link);
    }
    await edges.flush();
    await removeLinks(sweep, unused);
    const last = page.at(-1);
    if (last && isOver(sweep)) return { done: false, after: digestOf(last) };
  }
  await edges.end();
  return { done: true };
}

/** One that is deleted meanwhile is among the graves, which are read second; one that comes meanwhile has young edges. */
const thereOrBuried = (sweep: Sweep) =>
  DigestSet.load(sweep, [manifestsOf(sweep.name), gravesOf(sweep.name)]);

function edgePages({ registry, name }: Sweep, start: Digest | undefined) {
  const from = start === undefined ? {} : { after: afterEdgesTo(start) };
  return sortedPages(registry.table, { ...edgesOf(name), ...from });
}

async function removeLinks(sweep: Sweep, unused: readonly Item[]): Promise<void> {
  const { horizon, report } = sweep;
  if (unused.length > 0) expectSoon(sweep);
  const old = unused.filter((link) => touchedOf(link) <= horizon);
  for (const link of unused) report?.(findingOf(sweep, link));
  if (sweep.dryRun) return;
  for (let start = 0; start < old.length; start += LINKS_AT_ONCE) {
    const batch = old.slice(start, start + LINKS_AT_ONCE);
    // Together where nobody is in the way; else each for itself, and who is in the way wins.
    if (await unlink(sweep, batch)) continue;
    for (const link of batch) await unlink(sweep, [link]);
  }
}

/** Whoever touches a link after it was read here keeps it; whoever links the digest elsewhere keeps the object. */
async function unlink({ registry, name }: Sweep, links: readonly Item[]): Promise<boolean> {
  const digests = links.map(digestOf);
  const stored = await registry.table.getMany(digests.map(digestKey));
  const operations = links.flatMap((link, index): Operation[] => {
    const [digest, object] = [digests[index], stored[index]];
    if (!digest || !object) return []; // the link went since it was read
    return unlinkOperations(registry, name, digest, object, [equals('touched', touchedOf(link))]);
  });
  return operations.length === 0 || (await registry.table.write(operations)).committed;
}

function findingOf(sweep: Sweep, link: Item) {
  const touched = touchedOf(link);
  const isOld = touched <= sweep.horizon;
  return {
    action: isOld ? 'delete' : 'keep',
    kind: 'blob',
    digest: digestOf(link),
    size: link.attributes['size'] as number,
    reason: isOld
      ? `no manifest uses it, and nobody has asked for it since ${untouchedSince(sweep, touched)}`
      : `no manifest uses it, but somebody may be about to: it may go from ${mayGoFrom(sweep, touched)} on`,
  } as const;
}

const digestOf = (link: Item) => lastPartOf(link) as Digest;
const touchedOf = ({ attributes }: Item) => attributes['touched'] as number;
