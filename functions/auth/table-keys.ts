import { signingKeysKey } from '../registry/keys.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { absent, equals } from '../storage/table.ts';
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

/** Signing keys in the registry's own table, for a registry that has no better place for secrets. */
export class TableKeys implements KeySource {
  readonly #registry: Registry;
  readonly #cache: RingCache;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#cache = new RingCache({ read: () => this.#read(), now: registry.now });
  }

  keys(): Promise<KeyRing> {
    return this.#cache.keys();
  }

  reload(): Promise<KeyRing> {
    return this.#cache.reload();
  }

  /** Puts a new key in front of the ring where the newest is old; whoever else does so at once does it first. */
  async rotateWhenDue(): Promise<void> {
    await this.#rotateWhenDue();
    this.#cache.expire();
  }

  /** Makes the ring where there is none. */
  async #read(): Promise<KeyRing> {
    const found = await this.#registry.table.get(signingKeysKey);
    return found ? decodeKeyRing(found['ring'] as string) : this.#rotateWhenDue();
  }

  #rotateWhenDue(): Promise<KeyRing> {
    const { table, now } = this.#registry;
    return untilWon(this.#registry, async () => {
      const found = await table.get(signingKeysKey);
      const text = found?.['ring'] as string | undefined;
      const ring = text === undefined ? undefined : decodeKeyRing(text);
      if (ring && !isRotationDue(ring, now())) return ring;
      const next = rotated(ring, newSigningKey(now()));
      const when = text === undefined ? absent : equals('ring', text);
      const { committed } = await table.write([
        { put: signingKeysKey, attributes: { ring: encodeKeyRing(next) }, when: [when] },
      ]);
      return committed ? next : LOST;
    });
  }
}
