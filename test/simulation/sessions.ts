import { createHash } from 'node:crypto';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import { requireBlobForPush } from '../../functions/registry/blobs.ts';
import { commitDirectUpload, requireArrivedBlob } from '../../functions/registry/direct-uploads.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { cancelUpload, requireBytes } from '../../functions/registry/upload-ending.ts';
import { type RuledSession, requireUpload } from '../../functions/registry/upload-sessions.ts';
import { appendChunk, startUpload } from '../../functions/registry/uploads.ts';
import { slowBody } from './bodies.ts';
import type { Client } from './client.ts';
import { PIECES } from './content.ts';
import { linked } from './push.ts';
import { request } from './s3.ts';
import type { ObjectEvent, Session } from './tasks.ts';

/** What may become of a request to an upload that others end. */
const ENDED = ['BLOB_UPLOAD_UNKNOWN', 'DIGEST_INVALID', 'BLOB_UNKNOWN', 'DENIED'];

/** Makes one request to an upload that others write to at the same time. */
export async function useSession(client: Client, task: Session): Promise<void> {
  const { sessions } = client.world;
  const { slot } = task;
  const id = sessions.get(slot) ?? (await open(client, task));
  if (id === undefined) return;
  if (task.act === 'cancel' || task.isWrong) client.world.ended.add(id);
  const isThere = await act(client, task, id);
  if (!isThere && sessions.get(slot) === id) sessions.delete(slot);
}

/** Whether the upload was still there when it began. */
async function act(client: Client, task: Session, id: string): Promise<boolean> {
  const request = (
    what: (registry: Registry, session: RuledSession) => Promise<unknown>,
    sending?: Uint8Array,
  ) =>
    client.request(
      ENDED,
      async (registry) => what(registry, await requireUpload(registry, task.repository, id)),
      { session: id, attempts: task.attempts, ...(sending && { sending }) },
    );
  if (task.act === 'close' || task.act === 'direct') {
    const found = await client.request(ENDED, (registry) => requireUpload(registry, task.repository, id));
    if ('refused' in found) return false;
    await (task.act === 'close' ? close : sendPast)(client, task, found.answer);
    return true;
  }
  const bytes = pieceOf(task);
  const acted = await (task.act === 'append'
    ? request(
        (registry, session) => appendChunk(registry, session, bodyOf(client, bytes, task.chunks), undefined),
        bytes,
      )
    : request(task.act === 'cancel' ? cancelUpload : requireBytes));
  return 'answer' in acted;
}

/** S3's event starts a function that finishes the upload. */
export async function hearOf(client: Client, { slot }: ObjectEvent): Promise<void> {
  const id = client.world.sessions.get(slot);
  if (id !== undefined) await client.request([], (registry) => commitDirectUpload(registry, id));
}

async function open(client: Client, { repository, slot }: Session): Promise<string | undefined> {
  const started = await client.request(['DENIED'], (registry) => startUpload(registry, repository));
  if (!('answer' in started)) return undefined;
  client.world.sessions.set(slot, started.answer.id);
  return started.answer.id;
}

const pieceOf = ({ piece }: Session): Uint8Array =>
  piece === undefined ? Buffer.of() : (PIECES[piece] as Uint8Array);

/** The body anew: whoever repeats a request sends it again. */
function bodyOf({ world }: Client, bytes: Uint8Array, chunks: number) {
  const size = Math.ceil(bytes.length / chunks);
  const parts = Array.from({ length: bytes.length > 0 ? chunks : 0 }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
  return slowBody(world, parts);
}

/** Closes it with the digest of what it has, as this client has found it, and of what it sends along; or of what it could
 *  have had as well. */
async function close(client: Client, task: Session, session: RuledSession): Promise<void> {
  const { repository, isWrong, chunks, attempts } = task;
  const { id, upload } = session;
  const since = client.since(repository);
  const had = client.world.contents.get(`${id}@${upload.offset}`) ?? Buffer.of();
  const bytes = pieceOf(task);
  const all = Buffer.concat([had, bytes]);
  const digest = upload.sealed ?? digestOf('sha256', isWrong ? swapped(all) : all);
  const start = upload.offset;
  const finished = await client.request(
    ENDED,
    (registry) =>
      finishUpload(registry, { repository, id, body: bodyOf(client, bytes, chunks), start, digest }),
    { sending: bytes, session: id, attempts },
  );
  const isTaken = 'answer' in finished && (finished.answer.is === 'stored' || client.world.plant.isTrusting);
  if (isTaken) linked(client, repository, digest, since);
  const isRefused = 'refused' in finished && finished.refused.code === 'DIGEST_INVALID';
  const { ended, isClockWrong } = client.world;
  if (isRefused && had.length === start && !ended.has(id) && !isClockWrong) {
    client.accuse(5, `an upload that has the bytes of ${digest} is refused`);
  }
}

/** Other bytes of the same length. */
const swapped = (bytes: Uint8Array): Uint8Array =>
  Buffer.from(
    Buffer.from(bytes)
      .toString()
      .replace(/more|evil/, (text) => (text === 'more' ? 'evil' : 'more')),
  );

/** The client writes to S3 itself, under the key that its token names; then it asks whether the blob is there. */
async function sendPast(client: Client, task: Session, { upload, direct }: RuledSession): Promise<void> {
  const { world } = client;
  if (world.kind === 'directory') return;
  const bytes = pieceOf(task);
  if (direct && bytes.length > direct.most) return; // its token is for less
  const digest = digestOf('sha256', bytes);
  const input = {
    Key: upload.objectKey,
    Body: bytes,
    ChecksumSHA256: createHash('sha256').update(bytes).digest('base64'),
    Metadata: { 'stowage-lane': 'direct' },
    ...(world.plant.isFrontDoorOpen ? {} : { IfNoneMatch: '*' }),
  };
  try {
    await request(world, 'PutObjectCommand', input);
  } catch {
    return; // somebody has written there, or the store is busy
  }
  await askFor(client, task, digest);
}

async function askFor(client: Client, { repository }: Session, digest: Digest): Promise<void> {
  const since = client.since(repository);
  const asked = await client.request(ENDED, (registry) =>
    requireArrivedBlob(registry, repository, digest, requireBlobForPush),
  );
  if ('answer' in asked) linked(client, repository, digest, since);
}
