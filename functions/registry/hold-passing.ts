import type { StoredObject } from '../storage/blob-store.ts';
import type { Operation } from '../storage/table.ts';
import { firstKeyOf } from './hold-ending.ts';
import { asRead, holdIn, keyOfHold } from './hold-items.ts';
import type { Registry } from './registry.ts';
import type { UploadSession } from './upload-sessions.ts';

/** How the hold of an upload becomes its blob's, in the transaction that makes the link. */
export interface Passing {
  /** Bytes that the quotas have counted already, where the blob has the upload's object; where it has another one. */
  readonly kept: number;
  readonly spare: number;
  readonly operation: (outcome: { readonly keeps: boolean; readonly isNew: boolean }) => Operation;
  /** Whether the hold stays, and is to be ended. */
  readonly lasts: (keeps: boolean) => boolean;
}

/** `undefined` where nothing is held. What others write to the upload at this moment stays held. */
export async function passHold(
  registry: Registry,
  session: UploadSession,
  object: StoredObject,
): Promise<Passing | undefined> {
  const hold = session.held ? holdIn(await registry.table.get(keyOfHold(session))) : undefined;
  if (!hold) return undefined;
  const [key, moved] = [keyOfHold(session), Math.min(object.size, hold.bytes)];
  const isLast = hold.writers <= (session.writes ? 1 : 0) && hold.left === 0;
  const isPlugged = hold.direct === 0 || object.objectKey === firstKeyOf(session);
  const isGone = isLast && isPlugged;
  const kept = isGone ? hold.bytes + hold.direct : isLast ? hold.bytes : moved;
  return {
    kept,
    spare: moved,
    lasts: (keeps) => !keeps || (isLast && !isPlugged),
    operation({ keeps, isNew }) {
      if (keeps && isGone) return { remove: key, when: asRead(hold) };
      const bytes = hold.bytes - (keeps ? kept : isNew ? moved : 0);
      const ended = !keeps || isLast ? { ended: 'linked' } : {};
      return { update: key, set: { bytes, ...ended }, add: { turns: 1 }, when: asRead(hold) };
    },
  };
}
