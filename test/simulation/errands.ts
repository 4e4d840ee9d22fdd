import { EPOCH_SECONDS, MIN_EPOCH_SECONDS } from '../../functions/limits.ts';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { type Blob, deleteBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { blobKey, graveKey, manifestKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest, readManifest } from '../../functions/registry/manifests.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { deleteRepository } from '../../functions/registry/repository-deletion.ts';
import { restore } from '../../functions/registry/restore.ts';
import { deleteTag } from '../../functions/registry/tags.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { cancelUpload } from '../../functions/registry/upload-ending.ts';
import { type RuledSession, requireUpload } from '../../functions/registry/upload-sessions.ts';
import { appendChunk, startUpload } from '../../functions/registry/uploads.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { bodyOf, bytesOf } from './bodies.ts';
import type { Client, Since } from './client.ts';
import { BLOBS, manifestOf } from './content.ts';
import { acknowledged, push, upload } from './push.ts';
import { hearOf, useSession } from './sessions.ts';
import type { Delete, Pull, Restore, Sweep, Task, Upload } from './tasks.ts';

/** Milliseconds of an epoch: the shortest there is, so that many pass before an object's day is over. */
export const EPOCH_MS = MIN_EPOCH_SECONDS * 1000;

/** Does what the task says, and throws where the registry breaks a promise. */
export async function perform(client: Client, task: Task, quarantineMs: number): Promise<void> {
  switch (task.is) {
    case 'push':
      return push(client, task);
    case 'pull':
      return pull(client, task);
    case 'delete':
      return remove(client, task);
    case 'restore':
      return bringBack(client, task, quarantineMs);
    case 'upload':
      return beginUpload(client, task);
    case 'sweep':
      return sweep(client, task, quarantineMs);
    case 'session':
      return useSession(client, task);
    case 'event':
      return hearOf(client, task);
    case 'drain':
      await client.request([], (registry) => drainOutbox(registry));
  }
}

/** Pulls what a tag is on, with all that it refers to. */
async function pull(client: Client, { repository, tag }: Pull): Promise<void> {
  const since = client.since(repository);
  const reference = { kind: 'tag', tag } as const;
  const found = await client.request([], (registry) => findManifest(registry, repository, reference));
  if (!('answer' in found) || !found.answer) return;
  const stored = found.answer;
  const pulled = { repository, digest: stored.digest, since };
  const read = await client.request(['MANIFEST_UNKNOWN'], async (registry) => {
    const content = await readManifest(registry, stored);
    return content instanceof Uint8Array ? content : bytesOf(content);
  });
  if ('refused' in read) return lament(client, pulled, 'its bytes');
  requireDigest(client, read.answer, stored.digest);
  for (const { digest } of manifestOf(stored.digest)?.blobs ?? []) {
    const blob = await client.request(['BLOB_UNKNOWN'], (registry) =>
      requireBlob(registry, repository, digest),
    );
    if ('refused' in blob) return lament(client, pulled, digest);
    await readBlob(client, repository, blob.answer);
  }
}

async function readBlob(client: Client, repository: RepositoryName, blob: Blob): Promise<void> {
  const since = client.since(repository);
  const read = await client.request([], async ({ blobs }) => {
    const body = await blobs.read(blob);
    return body && (await bytesOf(body));
  });
  if (!('answer' in read)) return;
  if (read.answer) requireDigest(client, read.answer, blob.digest);
  else if (!client.isLongAgo(since))
    client.accuse(5, `the object of ${blob.digest} is gone while it is read`);
}

/** 2: whatever is read is what its digest says. */
function requireDigest(client: Client, bytes: Uint8Array, digest: Digest): void {
  if (digestOf('sha256', bytes) !== digest) client.accuse(2, `who pulls ${digest} gets other bytes`);
}

interface Pulled {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  readonly since: Since;
}

/** A pull may fail where somebody deletes what it pulls; nowhere else. */
function lament(client: Client, { repository, digest, since }: Pulled, what: string): void {
  if (client.world.wasDeletedSince(manifestKey(repository, digest), since.step)) return;
  client.accuse(5, `${what} is gone while ${digest} is pulled`);
}

const UNKNOWN = ['BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'DENIED'];

async function remove(client: Client, task: Delete): Promise<void> {
  const { repository } = task;
  await client.request(UNKNOWN, async (registry) => {
    if (task.what === 'tag') return deleteTag(registry, repository, task.tag);
    if (task.what === 'manifest') return deleteManifest(registry, repository, task.digest);
    if (task.what === 'blob') return deleteBlob(registry, repository, task.digest);
    for (let calls = 0; calls < 5; calls += 1) {
      if ((await deleteRepository(registry, repository)) === 'done') return;
    }
  });
}

/** What was deleted comes back within its quarantine, unless somebody has deleted a blob of it on purpose. */
async function bringBack(client: Client, { repository, tag, manifest }: Restore, quarantineMs: number) {
  const { world } = client;
  const { digest } = manifest;
  const grave = world.table.peek(graveKey(repository, digest));
  const since = client.since(repository);
  const wanted = tag === undefined ? { digest } : { tag };
  const outcome = await client.request([...UNKNOWN, 'MANIFEST_BLOB_UNKNOWN'], (registry) =>
    restore(registry, repository, wanted, { until: Number.POSITIVE_INFINITY }),
  );
  if ('answer' in outcome) {
    const came = outcome.answer.entries.filter(
      ({ kind, outcome: is }) => kind === 'manifest' && is === 'restored',
    );
    for (const entry of came)
      if (entry.digest) acknowledged(client, repository, entry.digest, undefined, since);
    return;
  }
  if (tag !== undefined || !grave || manifest.children.length > 0) return;
  const isOver = (grave['deletedAt'] as number) + quarantineMs <= world.clock;
  const keys = manifest.blobs.map((blob) => blobKey(repository, blob.digest));
  const wasTaken =
    keys.some((key) => world.wasDeletedSince(key, 0)) ||
    world.wasDeletedSince(graveKey(repository, digest), 0);
  if (!isOver && !wasTaken)
    client.accuse(
      5,
      `${digest} is in quarantine in ${repository}, and cannot be restored: ${outcome.refused.message}`,
    );
}

async function beginUpload(client: Client, { repository, end }: Upload): Promise<void> {
  const [blob, other] = BLOBS;
  if (!blob || !other) return;
  if (end === 'finish') {
    await upload(client, repository, other);
    return;
  }
  const ended = ['BLOB_UPLOAD_UNKNOWN', 'DIGEST_INVALID', 'DENIED'];
  const started = await client.request(['DENIED'], (registry) => startUpload(registry, repository));
  if (!('answer' in started)) return;
  const { id } = started.answer;
  const body = () => bodyOf(Buffer.from('wrong'));
  const request = (act: (registry: Registry, session: RuledSession) => Promise<unknown>) =>
    client.request(ended, async (registry) => act(registry, await requireUpload(registry, repository, id)));
  const sent = await request((registry, session) => appendChunk(registry, session, body(), undefined));
  if (!('answer' in sent) || end === 'leave') return;
  if (end === 'cancel') {
    await request(cancelUpload);
    return;
  }
  const wrong = { repository, id, start: undefined, digest: blob.digest };
  await client.request(ended, (registry) => finishUpload(registry, { ...wrong, body: body() }));
}

async function sweep(client: Client, { repository, isLater, isShort }: Sweep, quarantineMs: number) {
  const { world } = client;
  if (isLater) {
    const run = async () => {
      world.clock += EPOCH_MS;
    };
    await world.call({ label: () => 'an epoch goes by', run });
  }
  const until = isShort ? 0 : world.clock + EPOCH_SECONDS * 1000;
  const options = { epochMs: EPOCH_MS, quarantineMs, until };
  await client.request([], (registry) => sweepRepository(registry, repository, options));
}
