import type { Digest } from '../oci/digest.ts';
import { graveKey, lastPartOf, manifestKey, targetOf } from '../registry/keys.ts';
import { equals, type Item, MAX_OPERATIONS } from '../storage/table.ts';
import type { Sweep } from './stage.ts';

/** How many manifests are remembered: a page's worth of images shares most of its layers. About 2 MB. */
const REMEMBERED = 10_000;

/** The edges of a repository on their way past a sweep, in the order of what they point at. Those whose manifest is neither
 *  there nor in quarantine are removed, unless somebody may be about to commit it. */
export class Edges {
  readonly #sweep: Sweep;
  readonly #pages: AsyncIterator<readonly Item[]>;
  readonly #known = new Map<Digest, boolean>();
  #page: readonly Item[] = [];
  /** Of the page, what is neither orphaned nor passed. */
  #next = 0;
  #orphans: Item[] = [];
  #isOver = false;

  constructor(sweep: Sweep, pages: AsyncGenerator<readonly Item[]>) {
    this.#sweep = sweep;
    this.#pages = pages;
  }

  /** Passes all edges up to those to `target`, and tells whether any of these stays. */
  async hold(target: Digest): Promise<boolean> {
    let isHeld = false;
    for (let edge = await this.#peek(); edge && targetOf(edge) <= target; edge = await this.#peek()) {
      this.#next += 1;
      const stays = this.#stays(edge);
      if (stays && targetOf(edge) === target) isHeld = true;
      if (!stays) this.#orphans.push(edge);
    }
    return isHeld;
  }

  /** Passes the rest. */
  async end(): Promise<void> {
    for (let edge = await this.#peek(); edge; edge = await this.#peek()) {
      this.#next += 1;
      if (!this.#stays(edge)) this.#orphans.push(edge);
    }
    await this.flush();
  }

  /** Removes the orphans passed so far. Whoever touches one after it was read keeps it. */
  async flush(): Promise<void> {
    const { registry, dryRun, report } = this.#sweep;
    const orphans = this.#orphans.splice(0);
    for (const edge of orphans) report?.(findingOf(edge));
    if (dryRun) return;
    for (let start = 0; start < orphans.length; start += MAX_OPERATIONS) {
      const batch = orphans.slice(start, start + MAX_OPERATIONS).map(removal);
      if ((await registry.table.write(batch)).committed) continue;
      for (const operation of batch) await registry.table.write([operation]);
    }
  }

  #stays(edge: Item): boolean {
    const isYoung = touchedOf(edge) > this.#sweep.horizon;
    return isYoung || this.#known.get(manifestOf(edge)) !== false;
  }

  async #peek(): Promise<Item | undefined> {
    while (this.#next >= this.#page.length && !this.#isOver) {
      if (this.#orphans.length >= REMEMBERED) await this.flush();
      const { value, done } = await this.#pages.next();
      this.#isOver = done === true;
      this.#page = done ? [] : value;
      this.#next = 0;
      await this.#look(this.#page.map(manifestOf));
    }
    return this.#page[this.#next];
  }

  /** Learns which manifests are there or in quarantine. One that goes after it was looked at is the next sweep's. */
  async #look(manifests: readonly Digest[]): Promise<void> {
    const { registry, name } = this.#sweep;
    const wanted = [...new Set(manifests)].filter((digest) => !this.#known.has(digest));
    if (this.#known.size + wanted.length > REMEMBERED) {
      this.#known.clear();
      wanted.splice(0, wanted.length, ...new Set(manifests));
    }
    for (let start = 0; start < wanted.length; start += MAX_OPERATIONS) {
      const batch = wanted.slice(start, start + MAX_OPERATIONS);
      const [present, buried] = [
        await registry.table.getMany(batch.map((digest) => manifestKey(name, digest))),
        await registry.table.getMany(batch.map((digest) => graveKey(name, digest))),
      ];
      for (const [index, digest] of batch.entries()) {
        this.#known.set(digest, (present[index] ?? buried[index]) !== undefined);
      }
    }
  }
}

const removal = (edge: Item) => ({ remove: edge.key, when: [equals('touched', touchedOf(edge))] });

const findingOf = (edge: Item) =>
  ({
    action: 'delete',
    kind: 'edge',
    digest: targetOf(edge),
    reason: `manifest ${manifestOf(edge)}, which would have used it, is gone or was never finished`,
  }) as const;

const manifestOf = (edge: Item) => lastPartOf(edge) as Digest;
const touchedOf = ({ attributes }: Item) => attributes['touched'] as number;
