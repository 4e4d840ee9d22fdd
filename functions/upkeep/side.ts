import type { Digest } from '../oci/digest.ts';
import { targetOf } from '../registry/keys.ts';
import type { Item } from '../storage/table.ts';

/** A range of items that are sorted by a digest, read beside another range in the same order, each once. */
export class Side {
  readonly #pages: AsyncIterator<readonly Item[]>;
  #page: readonly Item[] = [];
  #next = 0;

  constructor(pages: AsyncIterator<readonly Item[]>) {
    this.#pages = pages;
  }

  /** Passes all items up to those of `digest`, and shows these. */
  async pass(digest: Digest, show: (item: Item) => void): Promise<void> {
    do {
      for (; this.#next < this.#page.length; this.#next += 1) {
        const item = this.#page[this.#next] as Item;
        const target = targetOf(item);
        if (target > digest) return;
        if (target === digest) show(item);
      }
    } while (await this.#turn());
  }

  /** Tells whether there is another page. */
  async #turn(): Promise<boolean> {
    const { value, done } = await this.#pages.next();
    [this.#page, this.#next] = [done ? [] : value, 0];
    return !done;
  }
}
