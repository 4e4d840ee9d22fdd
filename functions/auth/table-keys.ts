import { signingKeysKey } from '../registry/keys.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { absent, equals } from '../storage/table.ts';
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
  #ring: KeyRing | undefined;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async keys(): Promise<KeyRing> {
    return this.#ring ?? (await this.reload());
  }

  /** Reads the ring, and makes it where there is none. */
  async reload(): Promise<KeyRing> {
    const found = await this.#registry.table.get(signingKeysKey);
    this.#ring = found ? decodeKeyRing(found['ring'] as string) : await this.rotateWhenDue();
    return this.#ring;
  }

  /** Puts a new key in front of the ring where the newest is old; whoever else does so at once does it first. */
  async rotateWhenDue(): Promise<KeyRing> {
    const { table, now } = this.#registry;
    this.#ring = await untilWon(this.#registry, async () => {
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
    return this.#ring;
  }
}
