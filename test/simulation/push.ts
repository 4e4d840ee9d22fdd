import { FINISHED_UPLOAD_SECONDS } from '../../functions/limits.ts';
import type { Digest } from '../../functions/oci/digest.ts';
import type { RegistryError } from '../../functions/oci/errors.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { mountBlob, requireBlobForPush } from '../../functions/registry/blobs.ts';
import { requireArrivedBlob } from '../../functions/registry/direct-uploads.ts';
import { blobKey, manifestKey, tagKey } from '../../functions/registry/keys.ts';
import { putManifest } from '../../functions/registry/manifest-push.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import { bodyOf } from './bodies.ts';
import { type Client, missingIn, type Since } from './client.ts';
import { REPOSITORIES, type SimulatedBlob, type SimulatedManifest } from './content.ts';
import type { Push } from './tasks.ts';

/** Since when the client relies on each blob and child. */
type Holds = Map<Digest, Since>;

/** Pushes an image or an index as real clients do: first what it refers to, then itself. */
export async function push(client: Client, task: Push): Promise<void> {
  await pushTree(client, task, task.manifest, task.tag);
}

async function pushTree(
  client: Client,
  task: Push,
  manifest: SimulatedManifest,
  tag: Push['tag'],
): Promise<Since | undefined> {
  const holds: Holds = new Map();
  for (const child of manifest.children) {
    const since = await pushTree(client, task, child, undefined);
    if (since) holds.set(child.digest, since);
  }
  for (const blob of manifest.blobs) {
    const since = await pushBlob(client, task, blob);
    if (since) holds.set(blob.digest, since);
  }
  return pushManifest(client, task.repository, { manifest, tag, holds });
}

async function pushBlob(client: Client, { repository, manner }: Push, blob: SimulatedBlob) {
  const { digest } = blob;
  if (manner !== 'send') {
    const since = client.since(repository);
    const asked = await client.request(['BLOB_UNKNOWN'], (registry) =>
      requireArrivedBlob(registry, repository, digest, requireBlobForPush),
    );
    if ('answer' in asked) return since;
  }
  if (manner === 'mount') {
    const since = client.since(repository);
    const from = REPOSITORIES.find((each) => each !== repository);
    const choose = async (sources: readonly RepositoryName[]) => sources[0];
    const mounted = await client.request(['DENIED'], (registry) =>
      mountBlob(registry, { repository, digest, from, choose }),
    );
    if ('answer' in mounted && mounted.answer) return linked(client, repository, digest, since);
  }
  return upload(client, repository, blob);
}

/** Uploads a blob whole; nothing where the session has ended by its age, or there is no room for it. */
export async function upload(client: Client, repository: RepositoryName, { bytes, digest }: SimulatedBlob) {
  const { world } = client;
  const since = client.since(repository);
  const started = await client.request(['DENIED'], (registry) => startUpload(registry, repository));
  if (!('answer' in started)) return undefined;
  const { id, due } = started.answer;
  const finished = await client.request(
    ['BLOB_UPLOAD_UNKNOWN', 'DENIED'],
    (registry) => finishUpload(registry, { repository, id, body: bodyOf(bytes), start: undefined, digest }),
    { sending: bytes, session: id },
  );
  const isTaken = 'answer' in finished && (finished.answer.is === 'stored' || world.plant.isTrusting);
  if (isTaken) return linked(client, repository, digest, since);
  // Nobody else writes to it. A finished upload is remembered for an hour, for those who lost the answer.
  const isRemembered = world.clock - since.clock < FINISHED_UPLOAD_SECONDS * 1000 && world.clock < due;
  const isDenied = 'refused' in finished && finished.refused.code === 'DENIED';
  if (!isDenied && isRemembered && !client.isExcused(since)) {
    client.accuse(5, `the upload of ${digest} comes to nothing`);
  }
  return undefined;
}

/** What was acknowledged is there, unless it was deleted on purpose. */
export function linked(client: Client, repository: RepositoryName, digest: Digest, since: Since): Since {
  const { world } = client;
  const key = blobKey(repository, digest);
  const isHeld = world.epochOf(repository) <= since.epoch + 1;
  if (!world.table.peek(key) && !world.wasDeletedSince(key, since.step) && isHeld) {
    client.accuse(4, `${digest} was acknowledged in ${repository} and is gone`);
  }
  return since;
}

async function pushManifest(
  client: Client,
  repository: RepositoryName,
  { manifest, tag, holds }: { manifest: SimulatedManifest; tag: Push['tag']; holds: Holds },
): Promise<Since | undefined> {
  const since = client.since(repository);
  const { bytes, digest } = manifest;
  const tags = tag === undefined ? [] : [tag];
  const outcome = await client.request(['MANIFEST_BLOB_UNKNOWN', 'DENIED'], (registry) =>
    putManifest(registry, { repository, bytes, contentType: '', digest: undefined, tags }),
  );
  if ('refused' in outcome) {
    if (outcome.refused.code !== 'DENIED') judge(client, repository, outcome.refused, holds);
    return undefined;
  }
  acknowledged(client, repository, digest, tag, since);
  return since;
}

/** The lease: in the epoch it was told so, and in the next, a client may use what it was told exists. */
function judge(client: Client, repository: RepositoryName, refused: RegistryError, holds: Holds): void {
  const { world } = client;
  for (const digest of missingIn(refused)) {
    const since = holds.get(digest);
    const keys = [blobKey(repository, digest), manifestKey(repository, digest)];
    if (!since || keys.some((key) => world.wasTakenSince(key, since.step))) continue;
    if (world.epochOf(repository) <= since.epoch + 1) {
      client.accuse(
        5,
        `a push is refused for want of ${digest}, which it was promised in epoch ${since.epoch}`,
      );
    }
  }
}

/** What was acknowledged is there, unless it was deleted on purpose. */
export function acknowledged(
  client: Client,
  repository: RepositoryName,
  digest: Digest,
  tag: Push['tag'],
  { step }: Since,
): void {
  const { world, process } = client;
  const key = manifestKey(repository, digest);
  if (!world.table.peek(key) && !world.wasDeletedSince(key, step)) {
    client.accuse(4, `${digest} was acknowledged in ${repository} and is gone`);
  }
  if (tag === undefined) return;
  const tagged = tagKey(repository, tag);
  const isThere = world.table.peek(tagged)?.['digest'] === digest;
  if (!isThere && !world.wasDeletedSince(tagged, step) && !world.wasWrittenSince(tagged, step, process)) {
    client.accuse(4, `${tag} was acknowledged to be on ${digest}, and is not`);
  }
}
