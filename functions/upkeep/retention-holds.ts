import type { Digest } from '../oci/digest.ts';
import { isInForce, listRetentionHolds, type RetentionHold } from '../registry/retention-holds.ts';
import { absent, type Condition, equals } from '../storage/table.ts';
import type { Sweep } from './stage.ts';

/** The holds of a repository as they were when a run began. */
export class Holds {
  readonly #holds: ReadonlyMap<Digest, RetentionHold>;
  readonly #now: number;

  private constructor(holds: ReadonlyMap<Digest, RetentionHold>, now: number) {
    [this.#holds, this.#now] = [holds, now];
  }

  static async load({ registry, name, expect }: Sweep): Promise<Holds> {
    const holds = await listRetentionHolds(registry, name);
    for (const { until = 0 } of holds) if (until > registry.now()) expect?.(until);
    return new Holds(new Map(holds.map((hold) => [hold.digest, hold])), registry.now());
  }

  isHeld(digest: Digest): boolean {
    return isInForce(this.#holds.get(digest), this.#now);
  }

  /** That nobody has held it since. */
  conditionOf(digest: Digest): Condition {
    const hold = this.#holds.get(digest);
    return hold ? equals('at', hold.at) : absent;
  }
}
