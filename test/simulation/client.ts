import { OUTBOX_DELAY_SECONDS } from '../../functions/limits.ts';
import type { Digest } from '../../functions/oci/digest.ts';
import { RegistryError } from '../../functions/oci/errors.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { registryUntil } from '../../functions/registry/until.ts';
import { named } from './content.ts';
import { type About, type Process, Request, serve } from './requests.ts';

import { Violation, type World } from './world.ts';

/** How often a client repeats a request that failed without its fault. */
const ATTEMPTS = 3;

/** An object may go a day after its last link did, by clocks that differ by an hour. */
const DELAY_MS = (OUTBOX_DELAY_SECONDS - 2 * 60 * 60) * 1000;

/** When a client began to rely on something. */
export interface Since {
  readonly epoch: number;
  readonly step: number;
  readonly clock: number;
  readonly faults: number;
}

/** A party that speaks to the registry, knows what it may expect, and says so where it is disappointed. */
export class Client {
  readonly world: World;
  readonly process: Process;
  readonly #registry: Registry;

  constructor(world: World, process: Process) {
    [this.world, this.process] = [world, process];
    this.#registry = world.registryOf(process);
  }

  since(repository: RepositoryName): Since {
    const { steps: step, clock, faults } = this.world;
    return { epoch: this.world.epochOf(repository), step, clock, faults };
  }

  /** Whether an object that was known then may be gone. */
  isLongAgo({ clock }: Since): boolean {
    return this.world.isClockWrong || this.world.clock - clock >= DELAY_MS;
  }

  /** Whether anything may have gone wrong since then that the registry is not to blame for. */
  isExcused({ faults }: Since): boolean {
    return this.world.isClockWrong || this.world.faults > faults;
  }

  /** Makes a request, again where it failed for reasons of the simulation; the refusal where its code is among
   *  `refusals`. What it asked for may go on where it was told of an error. */
  async request<T>(
    refusals: readonly string[],
    act: (registry: Registry) => Promise<T>,
    about: About = {},
  ): Promise<{ answer: T } | { refused: RegistryError }> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return { answer: await this.#ask(act, about) };
      } catch (error) {
        if (error instanceof RegistryError && refusals.includes(error.code)) return { refused: error };
        if (!this.isInjected(error) || attempt >= (about.attempts ?? ATTEMPTS)) throw error;
      }
    }
  }

  async #ask<T>(act: (registry: Registry) => Promise<T>, about: About) {
    const request = new Request(this.process, about);
    const isEndless = this.world.plant.goesOn;
    const registry = isEndless ? this.#registry : registryUntil(this.#registry, request.signal);
    const answer = serve(request, () => act(registry));
    answer.catch(() => undefined);
    return Promise.race([answer, request.untilGivenUp()]);
  }

  /** An error of the simulation, or one that it has led to. Where an object goes early, much fails that should not. */
  isInjected(error: unknown): boolean {
    return this.world.isInjected(error) || (this.world.isClockWrong && !(error instanceof Violation));
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
