import type { Digest } from '../oci/digest.ts';
import { gravesOf, lastPartOf, manifestsOf } from '../registry/keys.ts';
import { sortedPages } from './sorted-pages.ts';
import type { Sweep } from './stage.ts';

/** 64 bits of a digest. Two that agree in them keep each other's edges: no harm, and nobody's gain. */
const PREFIX_DIGITS = 16;
const FIRST_SIZE = 1024;

/** Which manifests a repository had at one moment, eight bytes for each. */
export class ManifestSet {
  #sorted = new BigUint64Array(FIRST_SIZE);
  #size = 0;

  /** The manifests that are there, and those in quarantine. */
  static async load({ registry, name }: Sweep): Promise<ManifestSet> {
    const set = new ManifestSet();
    // In this order: one that is deleted meanwhile is among the graves. One that comes meanwhile has young edges.
    for (const range of [manifestsOf(name), gravesOf(name)]) {
      for await (const page of sortedPages(registry.table, { ...range, keysOnly: true })) {
        for (const item of page) set.#add(lastPartOf(item) as Digest);
      }
    }
    set.#sorted = set.#sorted.subarray(0, set.#size).sort();
    return set;
  }

  has(digest: Digest): boolean {
    const wanted = prefixOf(digest);
    let [low, high] = [0, this.#size];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? 0n) < wanted) low = middle + 1;
      else high = middle;
    }
    return low < this.#size && this.#sorted[low] === wanted;
  }

  #add(digest: Digest): void {
    if (this.#size === this.#sorted.length) {
      const larger = new BigUint64Array(2 * this.#size);
      larger.set(this.#sorted);
      this.#sorted = larger;
    }
    this.#sorted[this.#size] = prefixOf(digest);
    this.#size += 1;
  }
}

function prefixOf(digest: Digest): bigint {
  const start = digest.indexOf(':') + 1;
  return BigInt(`0x${digest.slice(start, start + PREFIX_DIGITS)}`);
}
