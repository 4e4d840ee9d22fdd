import {
  decodeKeyRing,
  encodeKeyRing,
  isRotationDue,
  type KeyRing,
  type KeySource,
  newSigningKey,
  rotated,
} from './signing-keys.ts';

/** A secret text that somebody keeps. */
export interface SecretText {
  /** `undefined` where there is none. */
  read(): Promise<string | undefined>;
  /** `false`, and nothing happens, where there is one. */
  create(text: string): Promise<boolean>;
  /** Writes over what is there; the last of several writers wins. */
  replace(text: string): Promise<void>;
}

interface SecretKeysOptions {
  readonly secret: SecretText;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** `now`: a new key in front, whatever the age of the newest. `all`: a new key, and none of the old ones verifies. */
export type Rotation = 'when due' | 'now' | 'all';

/** Ours: half of `KEY_ACTIVATION_MS`, so that everybody has read a new key before anybody signs with it. */
const FRESH_MS = 5 * 60_000;

/** Ours: while reading fails, requests go on with the ring they have, and one a minute waits for another try. */
const FAILED_MS = 60_000;

/** Ours: tokens with made-up key ids cause no more than one read in this time. */
const RELOAD_MS = 5000;

/** Signing keys in a secret store, read once in a while and kept in the process. */
export class SecretKeys implements KeySource {
  readonly #secret: SecretText;
  readonly #now: () => number;
  #ring: KeyRing | undefined;
  /** When the ring was last asked for, and when it has to be again. */
  #askedAt = Number.NEGATIVE_INFINITY;
  #staleAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<KeyRing> | undefined;

  constructor({ secret, now }: SecretKeysOptions) {
    this.#secret = secret;
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

  /** Puts a new key in front of the ring, and answers whether it was this call that did. May run at any time, and
   *  several at once: of two that make the first ring one wins, and of two that put a new key in front of it the
   *  later, which harms nobody, since within `KEY_ACTIVATION_MS` no token was signed with the other's. */
  async rotate(rotation: Rotation = 'when due'): Promise<boolean> {
    const now = this.#now();
    const text = await this.#secret.read();
    if (text === undefined) return this.#secret.create(encodeKeyRing(rotated(undefined, newSigningKey(now))));
    const ring = rotation === 'all' ? undefined : decodeKeyRing(text);
    if (rotation === 'when due' && !isRotationDue(ring, now)) return false;
    await this.#secret.replace(encodeKeyRing(rotated(ring, newSigningKey(now))));
    return true;
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
      const text = await this.#secret.read();
      if (text === undefined) throw new Error('there are no signing keys yet');
      this.#ring = decodeKeyRing(text);
      this.#staleAt = this.#now() + FRESH_MS;
      return this.#ring;
    } catch (error) {
      if (!this.#ring) throw error;
      this.#staleAt = this.#now() + FAILED_MS;
      return this.#ring;
    }
  }
}
