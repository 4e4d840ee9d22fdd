import type { RepositoryName } from '../oci/reference.ts';
import { policiesKey, sweepProgressKey } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import type { Repository } from '../registry/repositories.ts';
import { isMonthLater } from './old-history.ts';
import type { Position, SweepOptions } from './stage.ts';

/** What the item of a sweep that is under way says. */
interface State {
  readonly stage: number;
  readonly after?: string;
  /** Milliseconds since 1970: when the first thing could go that was met so far; absent where nothing could. */
  readonly again?: number;
  /** Of the policies, and what the repository said of its rest, when the sweep began; absent where it is not about to rest. */
  readonly version?: number;
  readonly rests?: number;
  readonly isMonthly: boolean;
}

/** How far the sweep of a repository has come, and what it has learned on its way. */
export class Progress {
  readonly isNew: boolean;
  readonly #registry: Registry;
  readonly #name: RepositoryName;
  readonly #options: SweepOptions;
  readonly #before: Repository;
  readonly #state: State;
  #again: number;
  #isSaved: boolean;

  private constructor(
    { registry, found, options }: { registry: Registry; found: Repository; options: SweepOptions },
    state: State | undefined,
    mayRest: Pick<State, 'version' | 'rests'> = {},
  ) {
    [this.#registry, this.#name, this.#options, this.#before] = [registry, found.name, options, found];
    [this.isNew, this.#isSaved] = [state === undefined, state !== undefined];
    this.#state = state ?? { stage: 0, ...mayRest, isMonthly: false };
    this.#again = this.#state.again ?? Number.POSITIVE_INFINITY;
  }

  /** Where another sweep of it stopped, or its beginning; a dry run begins anew. */
  static async of(registry: Registry, found: Repository, options: SweepOptions): Promise<Progress> {
    const saved = options.dryRun ? undefined : await registry.table.get(sweepProgressKey(found.name));
    if (saved) return new Progress({ registry, found, options }, saved as unknown as State);
    const { rests } = found;
    if (options.dryRun || rests === 0) return new Progress({ registry, found, options }, undefined);
    const policies = await registry.table.get(policiesKey);
    const version = (policies?.['version'] as number | undefined) ?? 0;
    return new Progress({ registry, found, options }, undefined, { version, rests });
  }

  get stage(): number {
    return this.#state.stage;
  }

  get after(): Position {
    return this.#state.after;
  }

  get swept(): Pick<State, 'version' | 'rests'> & { readonly again: number } {
    const { version, rests } = this.#state;
    return { again: this.#again, ...(version !== undefined && rests !== undefined && { version, rests }) };
  }

  expect(moment: number): void {
    this.#again = Math.min(this.#again, moment);
  }

  /** Whether it is the first sweep of the repository in a month. */
  isMonthly({ epochAt, createdAt }: Repository): boolean {
    if (!this.isNew) return this.#state.isMonthly;
    return isMonthLater(this.#before.epochAt, epochAt, { createdAt, epochMs: this.#options.epochMs });
  }

  async save(stage: number, after: Position, isMonthly: boolean): Promise<void> {
    if (this.#options.dryRun) return;
    const { version, rests } = this.#state;
    const attributes = {
      ...{ stage, isMonthly },
      ...(after !== undefined && { after }),
      ...(this.#again !== Number.POSITIVE_INFINITY && { again: this.#again }),
      ...(version !== undefined && { version }),
      ...(rests !== undefined && { rests }),
    };
    await this.#registry.table.write([{ put: sweepProgressKey(this.#name), attributes }]);
    this.#isSaved = true;
  }

  /** Forgets where it stopped. */
  async end(): Promise<void> {
    if (this.#isSaved) await this.#registry.table.write([{ remove: sweepProgressKey(this.#name) }]);
  }
}
