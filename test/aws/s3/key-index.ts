/** Keys in the order of their UTF-8 bytes, which is S3's. */
export class KeyIndex {
  readonly #keys: string[] = [];

  add(key: string): void {
    const at = this.#firstAtLeast(key);
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key);
  }

  remove(key: string): void {
    const at = this.#firstAtLeast(key);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  /** The first key that begins with `prefix` and is none of those up to `after`. */
  next(prefix: string, after: string): string | undefined {
    let at = this.#firstAtLeast(compareKeys(after, prefix) < 0 ? prefix : after);
    if (this.#keys[at] === after) at += 1;
    const key = this.#keys[at];
    return key?.startsWith(prefix) ? key : undefined;
  }

  #firstAtLeast(key: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(this.#keys[middle] as string, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
