import type { ObjectKey, OnLeft } from '../storage/blob-store.ts';
import type { Operation } from '../storage/table.ts';
import { asRead, type Ending, type Hold, type Holder, holdIn, keyOfHold } from './hold-items.ts';
import { charge, rulesFor } from './quotas.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import type { UploadSession } from './upload-sessions.ts';

interface Change {
  readonly writers?: number;
  readonly unused?: number;
  readonly leaves?: Parameters<OnLeft>[0];
  readonly ends?: Ending;
}

/** Writers less, of whom one gives back bytes that never came, and `ends` where the upload is over: once nobody writes any more its
 *  bytes are freed, and no longer count. */
export async function stepBack(registry: Registry, session: UploadSession, change: Change): Promise<void> {
  await untilWon(registry, async () => {
    const found = holdIn(await registry.table.get(keyOfHold(session)));
    if (!found) return true;
    const hold = without(found, change);
    const unused = found.bytes - hold.bytes;
    const { ended, writers } = hold;
    const operations =
      ended && writers === 0
        ? await giveBack(registry, session, hold, { ended, unused })
        : [
            leave(registry, session, hold, stateOf(hold)),
            ...(unused > 0 ? await uncharge(registry, session, unused) : []),
          ];
    return (await registry.table.write(operations)).committed || LOST;
  });
}

function without(found: Hold, { writers = 0, unused = 0, leaves, ends }: Change): Hold {
  const hold = { ...found, bytes: found.bytes - Math.min(unused, Math.max(found.bytes - found.left, 0)) };
  const ended = ends ?? found.ended;
  return {
    ...hold,
    ...(leaves && leftBy(hold, leaves)),
    ...(ended && { ended }),
    writers: Math.max(found.writers - writers, 0),
  };
}

const stateOf = ({ bytes, left, atKey = 0, writers, ended }: Hold): Partial<Hold> => ({
  ...{ bytes, left, atKey, writers },
  ...(ended && { ended }),
});

/** Of several who write, nobody can say whose bytes are where. */
function leftBy({ bytes, left, atKey = 0, writers }: Hold, where: Parameters<OnLeft>[0]) {
  const isAtKey = where === 'upload' && writers === 1;
  return { left: bytes, atKey: isAtKey ? atKey + bytes - left : atKey };
}

function leave({ now }: Registry, holder: Holder, hold: Hold, change: Partial<Hold>): Operation {
  return { update: keyOfHold(holder), set: { ...change, at: now() }, add: { turns: 1 }, when: asRead(hold) };
}

/** What a client may still send by the upload's token is held until it cannot any more. */
async function giveBack(
  registry: Registry,
  session: UploadSession,
  hold: Hold,
  { ended, unused }: { readonly ended: Ending; readonly unused: number },
) {
  const { upload } = session;
  if (ended === 'cancelled') await registry.blobs.abort(upload);
  const isClosed = hold.direct === 0 || (await registry.blobs.plug(firstKeyOf(session)));
  const isAborted = ended === 'cancelled' && upload.objectKey === firstKeyOf(session);
  const left = isAborted ? hold.left - (hold.atKey ?? 0) : hold.left;
  const gone = hold.bytes - left + unused + (isClosed ? hold.direct : 0);
  const rest = { bytes: left, direct: isClosed ? 0 : hold.direct };
  return [
    rest.bytes + rest.direct === 0
      ? { remove: keyOfHold(session), when: asRead(hold) }
      : leave(registry, session, hold, {
          ...rest,
          left,
          atKey: isAborted ? 0 : (hold.atKey ?? 0),
          writers: 0,
          ended,
        }),
    ...(await uncharge(registry, session, gone)),
  ];
}

const uncharge = async (registry: Registry, { repository }: Holder, bytes: number) =>
  charge(registry, await rulesFor(registry, repository), { bytes: -bytes });

/** The key that an upload's token is for. */
export const firstKeyOf = ({ id }: Holder) => `blobs/${id}` as ObjectKey;
