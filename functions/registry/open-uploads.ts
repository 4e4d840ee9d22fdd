import { MAX_OPEN_UPLOADS } from '../limits.ts';
import { tooManyUploads } from '../oci/host-errors.ts';
import { uploadDueIn, uploadsBy } from './keys.ts';
import type { Registry } from './registry.ts';

/** Ours: what was counted of a caller is good for so many uploads more, and for so long. */
const COUNTED_FOR = 100;
const COUNTED_MS = 60_000;

/** Ours: who has too many is told so for so long before they are counted again. */
const REFUSED_MS = 5_000;

const MAX_CALLERS = 1000;

interface Count {
  readonly at: number;
  readonly isFull: boolean;
  /** How many more may be opened before they are counted again. */
  left: number;
}

/** Remembers in this process how many uploads callers have open: to count ten thousand for each new one would cost more than all
 *  else of it. What ends is noticed with the next count. */
export class OpenUploads {
  readonly #counts = new Map<string, Count>();

  /** TOOMANYREQUESTS where the caller has as many open as anybody may. */
  async require(registry: Registry): Promise<void> {
    const { actor = '', now, maxUploads = MAX_OPEN_UPLOADS } = registry;
    const known = this.#counts.get(actor);
    const age = known ? now() - known.at : Number.POSITIVE_INFINITY;
    if (known?.isFull && age < REFUSED_MS) throw tooManyUploads(maxUploads);
    if (known && known.left > 0 && age < COUNTED_MS) {
      known.left -= 1;
      return;
    }
    const open = await countOpen(registry, maxUploads);
    const isFull = open >= maxUploads;
    this.#remember(actor, { at: now(), isFull, left: Math.min(COUNTED_FOR, maxUploads - open) - 1 });
    if (isFull) throw tooManyUploads(maxUploads);
  }

  #remember(caller: string, count: Count): void {
    this.#counts.delete(caller);
    this.#counts.set(caller, count);
    const [eldest] = this.#counts.keys();
    if (this.#counts.size > MAX_CALLERS && eldest !== undefined) this.#counts.delete(eldest);
  }
}

async function countOpen({ table, actor, now }: Registry, most: number): Promise<number> {
  let open = 0;
  for (let after: string | undefined; ; ) {
    const range = { ...uploadsBy(actor), limit: most, keysOnly: true };
    const entries = await table.query({ ...range, ...(after !== undefined && { after }) });
    open += entries.filter((entry) => uploadDueIn(entry) > now()).length;
    if (open >= most || entries.length < most) return open;
    after = entries.at(-1)?.key.sort;
  }
}
