import type { Digest } from '../oci/digest.ts';
import { lastPartOf, targetOf } from '../registry/keys.ts';
import { removeEach } from '../registry/pushes-under-way.ts';
import { equals, type Item } from '../storage/table.ts';
import type { DigestSet } from './digest-set.ts';
import { expectSoon, type Sweep } from './stage.ts';

/** How many orphans are held until they are removed. */
const HELD = 10_000;

/** The edges of a repository on their way past a sweep, in the order of what they point at. Those whose manifest is neither
 *  there nor in quarantine are removed, unless somebody may be about to commit it. */
export class Edges {
  readonly #sweep: Sweep;
  readonly #pages: AsyncIterator<readonly Item[]>;
  readonly #manifests: DigestSet;
  #page: readonly Item[] = [];
  #next = 0;
  #orphans: Item[] = [];
  #isOver = false;

  constructor(sweep: Sweep, pages: AsyncGenerator<readonly Item[]>, manifests: DigestSet) {
    this.#sweep = sweep;
    this.#pages = pages;
    this.#manifests = manifests;
  }

  /** Passes all edges up to those to `target`, and tells whether any of these stays. */
  async hold(target: Digest): Promise<boolean> {
    let isHeld = false;
    for (let edge = await this.#peek(); edge && targetOf(edge) <= target; edge = await this.#peek()) {
      const stays = this.#pass(edge);
      if (stays && targetOf(edge) === target) isHeld = true;
    }
    return isHeld;
  }

  /** Passes the rest. */
  async end(): Promise<void> {
    for (let edge = await this.#peek(); edge; edge = await this.#peek()) this.#pass(edge);
    await this.flush();
  }

  /** Removes the orphans passed so far. Whoever touches one after it was read keeps it. */
  async flush(): Promise<void> {
    const { registry, dryRun, report } = this.#sweep;
    const orphans = this.#orphans.splice(0);
    for (const edge of orphans) report?.(findingOf(edge));
    if (dryRun) return;
    await removeEach(registry, orphans.map(removal));
  }

  /** Whether the edge stays. */
  #pass(edge: Item): boolean {
    this.#next += 1;
    const isUsed = this.#manifests.has(manifestOf(edge));
    const stays = isUsed || touchedOf(edge) > this.#sweep.horizon;
    if (!isUsed) expectSoon(this.#sweep);
    if (!stays) this.#orphans.push(edge);
    return stays;
  }

  async #peek(): Promise<Item | undefined> {
    while (this.#next >= this.#page.length && !this.#isOver) {
      if (this.#orphans.length >= HELD) await this.flush();
      const { value, done } = await this.#pages.next();
      this.#isOver = done === true;
      this.#page = done ? [] : value;
      this.#next = 0;
    }
    return this.#page[this.#next];
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
