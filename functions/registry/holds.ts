import { OUTBOX_DELAY_SECONDS, UPLOAD_EXPIRY_SECONDS } from '../limits.ts';
import { isDenied, uploadUnknown } from '../oci/errors.ts';
import type { Body, Hindrance, OnLeft } from '../storage/blob-store.ts';
import { type Attributes, absent, equals, type Operation, present } from '../storage/table.ts';
import { stepBack } from './hold-ending.ts';
import { asRead, type Hold, type Holder, holdIn, keyOfHold } from './hold-items.ts';
import { withRoom } from './idle-uploads.ts';
import { uploadKey } from './keys.ts';
import { countsBytes } from './meters.ts';
import { charge } from './quotas.ts';
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
  use: (session: RuledSession, body: Body, onLeft?: OnLeft) => Promise<T>,
): Promise<T | Hindrance> {
  if (session.upload.sealed !== undefined || !countsBytes(session.rules)) return use(session, body);
  const held = await enter(registry, session, length);
  if (held === undefined) {
    await body.cancel();
    return { is: 'lost' };
  }
  const tally = { received: 0, ...held };
  let leaves: Parameters<OnLeft>[0] | undefined;
  const onLeft: OnLeft = (where) => {
    if (leaves !== 'elsewhere') leaves = where;
  };
  try {
    const bytes = ReadableStream.from(counted(registry, session, body, tally));
    return await use({ ...session, held: true, writes: true }, bytes, onLeft);
  } finally {
    // Where this fails, the bytes are held until the hold expires.
    const unused = await unusedOf(lasting(registry), session, tally);
    await stepBack(lasting(registry), session, { writers: 1, unused, ...(leaves && { leaves }) }).catch(
      () => undefined,
    );
  }
}

/** What is held for a request. */
interface Held {
  readonly bytes: number;
  /** So many of them were held before it. */
  readonly before: number;
}

/** The same while its body comes. */
interface Tally {
  received: number;
  bytes: number;
  readonly before: number;
}

/** Bytes that were held for a body that has ended, and did not come. */
async function unusedOf({ blobs }: Registry, { upload }: RuledSession, tally: Tally): Promise<number> {
  const { received, bytes, before } = tally;
  return Math.max(bytes - Math.max(await blobs.footprint(upload, received), before), 0);
}

/** Ours: a process that has died in the midst of a request leaves it counted as one that writes. */
const WRITES_MS = 60_000;

/** Whether a request writes to the upload at this moment, as far as its hold tells. */
export async function isWritten({ table, now }: Registry, session: Holder): Promise<boolean> {
  const hold = holdIn(await table.get(keyOfHold(session)));
  return hold !== undefined && hold.writers > 0 && now() - hold.at < WRITES_MS;
}

const enter = (registry: Registry, session: RuledSession, length: number) =>
  withRoom(registry, session, () => tryEnter(registry, session, length));

async function tryEnter(
  registry: Registry,
  session: RuledSession,
  length: number,
): Promise<Held | undefined> {
  const { repository: name, rules, upload, id } = session;
  const need = await registry.blobs.footprint(upload, length);
  return untilWon(registry, async () => {
    const hold = holdIn(await registry.table.get(keyOfHold(session)));
    const { bytes, more, held } = heldWith(hold, need);
    const charges = await charge(registry, { name, rules }, { bytes: more });
    const change = { bytes, at: registry.now(), expiresAt: expiryOf(registry) };
    const outcome = await registry.table.write([
      { update: uploadKey(id), set: { held: true }, when: [equals('objectKey', upload.objectKey)] },
      hold
        ? { update: keyOfHold(session), set: change, add: { writers: 1, turns: 1 }, when: asRead(hold) }
        : openHold(registry, session, { ...change, writers: 1 }),
      ...charges,
    ]);
    if (outcome.committed) return held;
    return outcome.failed.includes(0) ? undefined : LOST;
  });
}

/** Who writes beside another has bytes of its own there; who comes after one writes over what that has left. */
function heldWith(hold: Hold | undefined, need: number) {
  const { bytes = 0, left = 0, writers = 0 } = hold ?? {};
  if (writers > 0) return { bytes: bytes + need, more: need, held: { bytes: need, before: 0 } };
  const most = Math.max(bytes, left + need);
  return { bytes: most, more: most - bytes, held: { bytes: most - left, before: bytes - left } };
}

/** The hold of an upload, or of a manifest, before its first byte. */
export function openHold(registry: Registry, holder: Holder, hold: Partial<Hold>): Operation {
  const empty = { bytes: 0, left: 0, direct: 0, writers: 0, turns: 0, at: registry.now() };
  const attributes: Attributes = { ...empty, expiresAt: expiryOf(registry), ...hold };
  return { put: keyOfHold(holder), attributes, when: [absent] };
}

/** Later than an upload's session, the outbox and the bucket itself let any byte lie that comes now. */
const expiryOf = ({ now }: Registry) => seconds(now()) + UPLOAD_EXPIRY_SECONDS + 2 * OUTBOX_DELAY_SECONDS;

/** The body, which fails where there is no room for more of it. */
async function* counted(registry: Registry, session: RuledSession, body: Body, tally: Tally) {
  for await (const chunk of body) {
    tally.received += chunk.length;
    const need = await registry.blobs.footprint(session.upload, tally.received);
    if (need > tally.bytes)
      tally.bytes += await extend(registry, session, need - tally.bytes, tally.received);
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
    return withRoom(registry, session, () => raise(registry, session, least));
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
    if (outcome.failed.includes(0)) throw uploadUnknown(name);
    return LOST;
  });
}

/** Ours: an upload in parts that are sent, or read, is not given up as idle, which takes an hour. */
const KEPT_MS = 10 * 60_000;

export async function keepHold(registry: Registry, session: UploadSession): Promise<void> {
  if (!session.held) return;
  const [key, at] = [keyOfHold(session), registry.now()];
  const hold = holdIn(await registry.table.get(key));
  if (!hold || at - hold.at < KEPT_MS) return;
  // Whoever else has changed it has kept it.
  await registry.table.write([{ update: key, set: { at }, add: { turns: 1 }, when: asRead(hold) }]);
}
