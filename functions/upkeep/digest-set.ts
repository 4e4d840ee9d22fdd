import type { Digest } from '../oci/digest.ts';
import { lastPartOf } from '../registry/keys.ts';
import { sortedPages } from './sorted-pages.ts';
import type { Sweep } from './stage.ts';

/** 64 bits of a digest. Two that agree in them are taken for each other: that keeps something, which is no harm and nobody's gain. */
const PREFIX_DIGITS = 16;
const FIRST_SIZE = 1024;
const LARGEST_SHARE = 0.75;

/** Digests, some eleven to twenty bytes for each. */
export class DigestSet {
  #places = new BigUint64Array(FIRST_SIZE);
  #size = 0;

  /** The manifests that the ranges name, the first range first; they are read by their keys alone. */
  static async load(
    { registry }: Pick<Sweep, 'registry'>,
    ranges: readonly { readonly partition: string; readonly prefix: string }[],
  ): Promise<DigestSet> {
    const set = new DigestSet();
    for (const range of ranges) {
      for await (const page of sortedPages(registry.table, { ...range, keysOnly: true })) {
        for (const item of page) set.add(lastPartOf(item) as Digest);
      }
    }
    return set;
  }

  has(digest: Digest): boolean {
    const wanted = prefixOf(digest);
    return this.#places[this.#placeOf(wanted)] === wanted;
  }

  add(digest: Digest): void {
    if (this.#size >= LARGEST_SHARE * this.#places.length) this.#grow();
    const prefix = prefixOf(digest);
    const place = this.#placeOf(prefix);
    if (this.#places[place] === prefix) return;
    this.#places[place] = prefix;
    this.#size += 1;
  }

  /** Where it is, or where there is room for it. */
  #placeOf(prefix: bigint): number {
    const last = this.#places.length - 1;
    let place = Number(prefix & 0xffff_ffffn) & last;
    while (this.#places[place] !== 0n && this.#places[place] !== prefix) place = (place + 1) & last;
    return place;
  }

  #grow(): void {
    const before = this.#places;
    this.#places = new BigUint64Array(2 * before.length);
    for (const prefix of before) if (prefix !== 0n) this.#places[this.#placeOf(prefix)] = prefix;
  }
}

function prefixOf(digest: Digest): bigint {
  const start = digest.indexOf(':') + 1;
  return BigInt(`0x${digest.slice(start, start + PREFIX_DIGITS)}`) || 1n; // 0 is where nothing is
}
