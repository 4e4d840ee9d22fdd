import type { Registry } from '../registry/registry.ts';
import type { Fault, ListedObject, ObjectKey } from '../storage/blob-store.ts';
import type { Held, Reference } from './known-objects.ts';

/** How bytes are compared with digests. */
export interface DeepScan {
  /** Whether an object is among those that are looked at. @default all are */
  readonly choose?: () => boolean;
  /** Told after each object what has been compared so far. @default nobody */
  readonly progress?: (compared: Compared) => void;
}

/** What was compared with its digest. */
export interface Compared {
  readonly objects: number;
  /** Bytes of them. */
  readonly bytes: number;
}

/** Of each object no more than a piece is held. */
const AT_ONCE = 8;

/** Compares objects with the digests of what names them, each once. */
export class Comparison {
  readonly #registry: Registry;
  readonly #deep: DeepScan;
  #waiting = new Set<ObjectKey>();
  #faults = new Map<ObjectKey, Fault>();
  #compared: Compared = { objects: 0, bytes: 0 };

  constructor(registry: Registry, deep: DeepScan) {
    [this.#registry, this.#deep] = [registry, deep];
  }

  get compared(): Compared {
    return this.#compared;
  }

  /** The objects that are to be compared now. */
  begin(lot: readonly ListedObject[]): void {
    this.#waiting = new Set(lot.map(({ objectKey }) => objectKey));
    this.#faults = new Map();
  }

  /** What is wrong with an object that was compared. */
  faultOf({ objectKey }: Reference): Fault | undefined {
    return this.#faults.get(objectKey);
  }

  async compare(references: readonly Reference[]): Promise<void> {
    const { choose = () => true } = this.#deep;
    const fresh = references.flatMap(({ objectKey, held }) =>
      held && this.#waiting.delete(objectKey) && choose() ? [{ objectKey, held }] : [],
    );
    const queue = fresh.values();
    const work = async () => {
      for (const { objectKey, held } of queue) await this.#compare(objectKey, held);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  async #compare(objectKey: ObjectKey, { digest, size }: Held): Promise<void> {
    const fault = await this.#registry.blobs.examine({ objectKey, size }, digest, 'bytes');
    if (fault) this.#faults.set(objectKey, fault);
    const { objects, bytes } = this.#compared;
    this.#compared = { objects: objects + 1, bytes: bytes + size };
    this.#deep.progress?.(this.#compared);
  }
}
