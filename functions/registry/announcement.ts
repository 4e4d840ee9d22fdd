import { MAX_REFERENCES } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import { manifestInvalid } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { type Condition, equals, type Key, MAX_OPERATIONS, type Operation } from '../storage/table.ts';
import { edgeKey, pushKey } from './keys.ts';
import type { Holding } from './references.ts';
import type { Registry } from './registry.ts';
import { type Touched, touchAll } from './touch.ts';
import { lasting } from './until.ts';

/** What holds while a push is under way, as it was left. */
interface UnderWay {
  readonly push: string;
  readonly epoch: number;
}

/** What a push of a manifest leaves in the table before it commits: edges, and where the manifest is not there yet, that the push is under
 *  way. Attempts of one push share one. */
export class Announcement {
  readonly #name: RepositoryName;
  readonly #manifest: Digest;
  #underWay: UnderWay | undefined;
  /** Edges that were not there before this push. */
  #made: Key[] = [];

  constructor(name: RepositoryName, manifest: Digest) {
    [this.#name, this.#manifest] = [name, manifest];
  }

  /** Writes both; the conditions that the commit stands on are the answer, none where the manifest is there. From then on whoever
   *  deletes what it refers to finds this push. */
  async make(
    registry: Registry,
    { repository: { epoch }, references }: Holding,
    isNew: boolean,
  ): Promise<readonly Condition[] | undefined> {
    if (references.length > MAX_REFERENCES) throw manifestInvalid(`more than ${MAX_REFERENCES} references`);
    const edges = references.map(({ digest }) => edgeKey(this.#name, digest, this.#manifest));
    const items: Touched[] = edges.map((key) => ({ key, create: {} }));
    if (!isNew) {
      this.#underWay = undefined;
      await touchAll(registry, items, epoch);
      return undefined;
    }
    // Of several pushes of one manifest each goes on with what the first has entered, and one commits.
    const push = registry.newId();
    const intent = { key: pushKey(this.#name, this.#manifest), create: { push } };
    const [found, ...first] = await touchAll(
      registry,
      [intent, ...items.slice(0, MAX_OPERATIONS - 1)],
      epoch,
    );
    const underWay = { push: (found?.['push'] as string | undefined) ?? push, epoch };
    this.#enter(underWay);
    this.#note(edges, first);
    for (let start = MAX_OPERATIONS - 1; start < items.length; start += MAX_OPERATIONS) {
      const batch = items.slice(start, start + MAX_OPERATIONS);
      this.#note(edges.slice(start), await touchAll(registry, batch, epoch));
    }
    return conditionsOf(underWay);
  }

  /** Takes back what a push that is refused has left, however many edges, and ends whoever has joined it, who begins again. Leaves
   *  it to the sweep where somebody else has ended the push, or has committed it. */
  async takeBack(refused: Registry): Promise<void> {
    const { table, newId } = lasting(refused);
    for (let underWay = this.#underWay; underWay; ) {
      const key = pushKey(this.#name, this.#manifest);
      const when = conditionsOf(underWay);
      const removals = this.#made.splice(0, MAX_OPERATIONS - 1).map((edge) => ({ remove: edge }));
      // Whoever joins now finds no edge that goes later: the next part gives the push another name.
      const next = this.#made.length > 0 ? { ...underWay, push: newId() } : undefined;
      const change: Operation = next
        ? { update: key, set: { push: next.push }, when }
        : { remove: key, when };
      const { committed } = await table.write([change, ...removals]);
      underWay = committed ? next : undefined;
    }
  }

  /** What was made for a push that somebody has ended may be others' since. */
  #enter(underWay: UnderWay): void {
    if (this.#underWay?.push !== underWay.push) this.#made = [];
    this.#underWay = underWay;
  }

  #note(edges: readonly Key[], found: readonly unknown[]): void {
    this.#made.push(...edges.filter((_, index) => index < found.length && found[index] === undefined));
  }
}

const conditionsOf = ({ push, epoch }: UnderWay): readonly Condition[] => [
  equals('push', push),
  equals('touched', epoch),
];
