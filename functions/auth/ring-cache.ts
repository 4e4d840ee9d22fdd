import type { KeyRing, KeySource } from './signing-keys.ts';

/** Ours: half of `KEY_ACTIVATION_MS`, so that everybody has read a new key before anybody signs with it. */
const FRESH_MS = 5 * 60_000;

/** Ours: while reading fails, requests go on with the ring they have, and one a minute waits for another try. */
const FAILED_MS = 60_000;

/** Ours: tokens with made-up key ids cause no more than one read in this time. */
const RELOAD_MS = 5000;

/** A ring that lies elsewhere, read once in a while and kept in the process. */
export class RingCache implements KeySource {
  readonly #read: () => Promise<KeyRing>;
  readonly #now: () => number;
  #ring: KeyRing | undefined;
  /** When the ring was last asked for, and when it has to be again. */
  #askedAt = Number.NEGATIVE_INFINITY;
  #staleAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<KeyRing> | undefined;

  constructor({ read, now }: { readonly read: () => Promise<KeyRing>; readonly now: () => number }) {
    this.#read = read;
    this.#now = now;
  }

  async keys(): Promise<KeyRing> {
    if (this.#ring && this.#now() < this.#staleAt) return this.#ring;
    return this.#ask();
  }

  async reload(): Promise<KeyRing> {
    const hasJustAsked = !this.#asking && this.#now() < this.#askedAt + RELOAD_MS;
    return this.#ring && hasJustAsked ? this.#ring : this.#ask();
  }

  /** Forgets what was read: the ring has changed. */
  expire(): void {
    this.#staleAt = Number.NEGATIVE_INFINITY;
  }

  /** One question at a time; whoever comes meanwhile shares its answer. */
  #ask(): Promise<KeyRing> {
    this.#asking ??= this.#answer().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #answer(): Promise<KeyRing> {
    this.#askedAt = this.#now();
    try {
      this.#ring = await this.#read();
      this.#staleAt = this.#now() + FRESH_MS;
      return this.#ring;
    } catch (error) {
      if (!this.#ring) throw error;
      this.#staleAt = this.#now() + FAILED_MS;
      return this.#ring;
    }
  }
}
