import { OUTBOX_DELAY_SECONDS, UPLOAD_EXPIRY_SECONDS } from '../limits.ts';
import { isDenied, uploadUnknown } from '../oci/errors.ts';
import type { Body, Hindrance, ObjectKey, StoredObject } from '../storage/blob-store.ts';
import { type Attributes, absent, equals, type Operation, present } from '../storage/table.ts';
import { asRead, type Ending, type Hold, type Holder, holdIn, keyOfHold } from './hold-items.ts';
import { uploadKey } from './keys.ts';
import { countsBytes } from './meters.ts';
import { charge, rulesFor } from './quotas.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { lasting } from './until.ts';
import { type RuledSession, seconds, type UploadSession } from './upload-sessions.ts';

// Bytes count before they are taken, in a hold of their upload, and until they are a blob's or gone. What a request that was cut
// has left behind stays held: the next one writes over it. docs/concurrency.md has the timelines.

/** Ours: a body of unknown length is counted in steps, of an eighth of what has come, between these. */
const LEAST_STEP = 1024 * 1024;
const LARGEST_STEP = 64 * LEAST_STEP;

interface Writing {
  readonly body: Body;
  /** What the client says that the body has; 0 where it does not. */
  readonly length: number;
}

/** Has `use` write a body to an upload, of which every byte is counted before it comes; as it is where no quota counts bytes.
 *  `lost` where the upload has ended or was sealed. DENIED where there is no room, before the body or in its midst. */
export async function withHold<T>(
  registry: Registry,
  session: RuledSession,
  { body, length }: Writing,
  use: (session: RuledSession, body: Body) => Promise<T>,
): Promise<T | Hindrance> {
  if (session.upload.sealed !== undefined || !countsBytes(session.rules)) return use(session, body);
  const held = await enter(registry, session, length);
  if (held === undefined) {
    await body.cancel();
    return { is: 'lost' };
  }
  try {
    const bytes = ReadableStream.from(counted(registry, session, body, held));
    return await use({ ...session, held: true, writes: true }, bytes);
  } finally {
    // Where this fails, the bytes are held until the hold expires.
    await stepBack(lasting(registry), session, { writers: 1 }).catch(() => undefined);
  }
}

/** Answers how many bytes are held for the request. */
async function enter(registry: Registry, session: RuledSession, more: number): Promise<number | undefined> {
  const { repository: name, rules, upload, id } = session;
  const need = await registry.blobs.footprint(upload, more);
  return untilWon(registry, async () => {
    const hold = holdIn(await registry.table.get(keyOfHold(session)));
    // Who writes beside another has bytes of its own there; who comes after one writes over what that has left.
    const bytes = hold?.writers ? hold.bytes + need : Math.max(hold?.bytes ?? 0, need);
    const charges = await charge(registry, { name, rules }, { bytes: bytes - (hold?.bytes ?? 0) });
    const change = { bytes, at: registry.now(), expiresAt: expiryOf(registry) };
    const outcome = await registry.table.write([
      { update: uploadKey(id), set: { held: true }, when: [equals('objectKey', upload.objectKey)] },
      hold
        ? { update: keyOfHold(session), set: change, add: { writers: 1, turns: 1 }, when: asRead(hold) }
        : openHold(registry, session, { ...change, writers: 1 }),
      ...charges,
    ]);
    if (outcome.committed) return hold?.writers ? need : bytes;
    return outcome.failed.includes(0) ? undefined : LOST;
  });
}

/** The hold of an upload, or of a manifest, before its first byte. */
export function openHold(registry: Registry, holder: Holder, hold: Partial<Hold>): Operation {
  const empty = { bytes: 0, direct: 0, writers: 0, turns: 0, at: registry.now() };
  const attributes: Attributes = { ...empty, expiresAt: expiryOf(registry), ...hold };
  return { put: keyOfHold(holder), attributes, when: [absent] };
}

/** Later than an upload's session, the outbox and the bucket itself let any byte lie that comes now. */
const expiryOf = ({ now }: Registry) =>
  seconds(now()) + UPLOAD_EXPIRY_SECONDS + 2 * OUTBOX_DELAY_SECONDS;

/** The body, which fails where there is no room for more of it. */
async function* counted(registry: Registry, session: RuledSession, body: Body, first: number) {
  let [received, held] = [0, first];
  for await (const chunk of body) {
    received += chunk.length;
    const need = await registry.blobs.footprint(session.upload, received);
    if (need > held) held += await extend(registry, session, need - held, received);
    yield chunk;
  }
}

/** Holds `least` bytes more, or a step where there is room, and answers how many. */
async function extend(registry: Registry, session: RuledSession, least: number, received: number) {
  const step = Math.max(least, Math.min(Math.max(received / 8, LEAST_STEP), LARGEST_STEP));
  try {
    return await raise(registry, session, Math.floor(step));
  } catch (error) {
    if (!isDenied(error) || step === least) throw error;
    return raise(registry, session, least);
  }
}

async function raise(registry: Registry, session: RuledSession, bytes: number): Promise<number> {
  const { repository: name, rules } = session;
  return untilWon(registry, async () => {
    const charges = await charge(registry, { name, rules }, { bytes });
    const outcome = await registry.table.write([
      { update: keyOfHold(session), set: { at: registry.now() }, add: { bytes, turns: 1 }, when: [present] },
      ...charges,
    ]);
    if (outcome.committed) return bytes;
    if (outcome.failed.includes(0)) throw uploadUnknown();
    return LOST;
  });
}

/** Writers less, and `ends` where the upload is over: once nobody writes any more its bytes are freed, and no longer count. */
export async function stepBack(
  registry: Registry,
  session: UploadSession,
  change: { readonly writers?: number; readonly ends?: Ending },
): Promise<void> {
  await untilWon(registry, async () => {
    const hold = holdIn(await registry.table.get(keyOfHold(session)));
    if (!hold) return true;
    const ended = change.ends ?? hold.ended;
    const writers = Math.max(hold.writers - (change.writers ?? 0), 0);
    const operations =
      ended && writers === 0
        ? await giveBack(registry, session, hold, ended)
        : [leave(registry, session, hold, { writers, ...(ended && { ended }) })];
    return (await registry.table.write(operations)).committed || LOST;
  });
}

function leave({ now }: Registry, holder: Holder, hold: Hold, change: Partial<Hold>): Operation {
  return { update: keyOfHold(holder), set: { ...change, at: now() }, add: { turns: 1 }, when: asRead(hold) };
}

/** What a client may still send by the upload's token is held until it cannot any more. */
async function giveBack(registry: Registry, session: UploadSession, hold: Hold, ended: Ending) {
  const { repository, upload } = session;
  if (ended === 'cancelled') await registry.blobs.abort(upload);
  const isClosed = hold.direct === 0 || (await registry.blobs.plug(firstKeyOf(session)));
  const gone = hold.bytes + (isClosed ? hold.direct : 0);
  return [
    isClosed
      ? { remove: keyOfHold(session), when: asRead(hold) }
      : leave(registry, session, hold, { bytes: 0, writers: 0, ended }),
    ...(await charge(registry, await rulesFor(registry, repository), { bytes: -gone })),
  ];
}

/** The key that an upload's token is for. */
export const firstKeyOf = ({ id }: Holder) => `blobs/${id}` as ObjectKey;

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
  const isLast = hold.writers <= (session.writes ? 1 : 0);
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
