import { MAX_INLINE_MANIFEST_BYTES, OUTBOX_DELAY_SECONDS } from '../limits.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import { type Attributes, absent, equals, type Operation } from '../storage/table.ts';
import { firstKeyOf } from './hold-ending.ts';
import { type Holder, keyOfHold } from './hold-items.ts';
import { openHold } from './holds.ts';
import { countsBytes } from './meters.ts';
import { discard, rescue } from './outbox.ts';
import { charge, rulesFor } from './quotas.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import type { PushTarget } from './repositories.ts';
import { lasting } from './until.ts';

/** Where the bytes of a manifest lie, and the operations that make them stay there. */
export interface Placement {
  readonly content: Attributes;
  readonly operations: readonly Operation[];
  /** Bytes that quotas have counted already. */
  readonly counted: number;
}

/** The bytes of a manifest that is pushed. Small ones lie in its item; larger ones are written as an object once, before the
 *  first commit, and are counted before that. */
export class ManifestObject {
  readonly #registry: Registry;
  readonly #bytes: Uint8Array;
  #written: Promise<Placement> | undefined;
  /** Until it is linked, or gone. */
  #held: (Holder & { readonly bytes: number }) | undefined;

  constructor(registry: Registry, bytes: Uint8Array) {
    [this.#registry, this.#bytes] = [registry, bytes];
  }

  /** DENIED where a quota has no room, unless `isCounted`: also for one that can be restored, which counts once, when a client
   *  pushes it again, since its objects are several meanwhile. */
  async place(repository: PushTarget, isCounted: boolean): Promise<Placement> {
    const bytes = this.#bytes;
    if (bytes.length <= MAX_INLINE_MANIFEST_BYTES) return { content: { bytes }, operations: [], counted: 0 };
    this.#written ??= this.#write(repository, isCounted ? 0 : bytes.length).catch(async (error: unknown) => {
      this.#written = undefined; // the next attempt writes another one
      await this.end();
      throw error;
    });
    return this.#written;
  }

  /** Frees what was held and did not become a manifest. Where that fails, it expires. */
  async end(): Promise<void> {
    if (this.#held) await this.#giveBack(this.#held).catch(() => undefined);
  }

  async #write(repository: PushTarget, counted: number): Promise<Placement> {
    const { blobs, table, newId, now } = this.#registry;
    const id = newId();
    const objectKey = `blobs/${id}` as ObjectKey;
    const due = now() + OUTBOX_DELAY_SECONDS * 1000;
    const isHeld = countsBytes(repository.rules);
    if (isHeld) await this.#hold(repository, id, counted);
    // With a condition it takes effect once: a second time, after the rescue, it would have the object of a live manifest deleted.
    await table.write([{ ...discard(objectKey, due), when: [absent] }]);
    await blobs.put(objectKey, this.#bytes);
    const pass = { remove: keyOfHold({ repository: repository.name, id }), when: [equals('writers', 1)] };
    return {
      content: { objectKey },
      operations: [rescue(objectKey, due), ...(isHeld ? [pass] : [])],
      counted: isHeld ? counted : 0,
    };
  }

  async #hold(repository: PushTarget, id: string, bytes: number): Promise<void> {
    const registry = this.#registry;
    await untilWon(registry, async () => {
      const charges = await charge(registry, repository, { bytes });
      const hold = openHold(registry, { repository: repository.name, id }, { bytes, writers: 1 });
      return (await registry.table.write([hold, ...charges])).committed || LOST;
    });
    this.#held = { id, repository: repository.name, bytes };
  }

  /** No late commit can have the object once nobody is its hold's writer. */
  async #giveBack({ bytes, ...holder }: Holder & { readonly bytes: number }): Promise<void> {
    const registry = lasting(this.#registry);
    const hold = keyOfHold(holder);
    const leave = { update: hold, set: { writers: 0 }, when: [equals('writers', 1)] };
    if (!(await registry.table.write([leave])).committed) return; // it is the manifest's
    await registry.blobs.delete([firstKeyOf(holder)]);
    await untilWon(registry, async () => {
      const ruled = await rulesFor(registry, holder.repository);
      const charges = await charge(registry, ruled, { bytes: -bytes });
      const outcome = await registry.table.write([
        { remove: hold, when: [equals('writers', 0)] },
        ...charges,
      ]);
      return outcome.committed || outcome.failed.includes(0) || LOST;
    });
  }
}
