import { RingCache } from './ring-cache.ts';
import {
  decodeKeyRing,
  encodeKeyRing,
  isRotationDue,
  type KeyRing,
  type KeySource,
  newSigningKey,
  rotated,
} from './signing-keys.ts';

/** A secret text that somebody keeps. Once `signal` has fired, a write fails, and is not repeated. */
export interface SecretText {
  /** `undefined` where there is none. */
  read(): Promise<string | undefined>;
  /** `false`, and nothing happens, where there is one. */
  create(text: string, signal?: AbortSignal): Promise<boolean>;
  /** Writes over what is there; the last of several writers wins. */
  replace(text: string, signal?: AbortSignal): Promise<void>;
}

interface SecretKeysOptions {
  readonly secret: SecretText;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** `now`: a new key in front, whatever the age of the newest. `all`: a new key, and none of the old ones verifies. */
export type Rotation = 'when due' | 'now' | 'all';

/** Signing keys in a secret store, read once in a while and kept in the process. */
export class SecretKeys implements KeySource {
  readonly #secret: SecretText;
  readonly #now: () => number;
  readonly #cache: RingCache;

  constructor({ secret, now }: SecretKeysOptions) {
    this.#secret = secret;
    this.#now = now;
    this.#cache = new RingCache({ read: () => this.current(), now });
  }

  keys(): Promise<KeyRing> {
    return this.#cache.keys();
  }

  reload(): Promise<KeyRing> {
    return this.#cache.reload();
  }

  /** Puts a new key in front of the ring, and answers whether it was this call that did. May run at any time, and
   *  several at once: of two that make the first ring one wins, and of two that put a new key in front of it the
   *  later, which harms nobody, since within `KEY_ACTIVATION_MS` no token was signed with the other's. */
  async rotate(rotation: Rotation = 'when due', signal?: AbortSignal): Promise<boolean> {
    const now = this.#now();
    const text = await this.#secret.read();
    const next = (ring: KeyRing | undefined) => encodeKeyRing(rotated(ring, newSigningKey(now)));
    if (text === undefined) return this.#secret.create(next(undefined), signal);
    const ring = rotation === 'all' ? undefined : decodeKeyRing(text);
    if (rotation === 'when due' && !isRotationDue(ring, now)) return false;
    await this.#secret.replace(next(ring), signal);
    return true;
  }

  /** The ring as it is now, whatever was read before; throws where it cannot be read. */
  async current(): Promise<KeyRing> {
    const text = await this.#secret.read();
    if (text === undefined) throw new Error('there are no signing keys yet');
    return decodeKeyRing(text);
  }
}
