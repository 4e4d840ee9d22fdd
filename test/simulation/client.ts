import { OUTBOX_DELAY_SECONDS } from '../../functions/limits.ts';
import type { Digest } from '../../functions/oci/digest.ts';
import { RegistryError } from '../../functions/oci/errors.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { named } from './content.ts';
import { type Process, Violation, type World } from './world.ts';

/** How often a client repeats a request that failed without its fault. */
const ATTEMPTS = 3;

/** An object may go a day after its last link did. */
const DELAY_MS = OUTBOX_DELAY_SECONDS * 1000;

/** When a client began to rely on something. */
export interface Since {
  readonly epoch: number;
  readonly step: number;
  readonly clock: number;
}

/** A party that speaks to the registry, knows what it may expect, and says so where it is disappointed. */
export class Client {
  readonly world: World;
  readonly process: Process;
  readonly registry: Registry;

  constructor(world: World, process: Process) {
    [this.world, this.process] = [world, process];
    this.registry = world.registryOf(process);
  }

  since(repository: RepositoryName): Since {
    return { epoch: this.world.epochOf(repository), step: this.world.steps, clock: this.world.clock };
  }

  /** Whether an object that was known then may be gone. */
  isLongAgo({ clock }: Since): boolean {
    return this.world.clock - clock >= DELAY_MS;
  }

  /** Makes a request, again where it failed for reasons of the simulation; the refusal where its code is among
   *  `refusals`. */
  async request<T>(
    refusals: readonly string[],
    act: () => Promise<T>,
  ): Promise<{ answer: T } | { refused: RegistryError }> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return { answer: await act() };
      } catch (error) {
        if (error instanceof RegistryError && refusals.includes(error.code)) return { refused: error };
        if (!this.isInjected(error) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  isInjected(error: unknown): boolean {
    return this.world.injected.has(error as object);
  }

  /** Tells that the registry has broken promise number `invariant`. */
  accuse(invariant: number, text: string): never {
    throw new Violation(named(`${invariant}: ${text}`));
  }
}

/** What a refused push says is missing. */
export function missingIn(refused: RegistryError): Digest[] {
  return refused.entries.map(({ detail }) => (detail as { digest: Digest }).digest);
}
