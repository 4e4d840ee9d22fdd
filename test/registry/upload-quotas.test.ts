import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { putManifest } from '../../functions/registry/manifest-push.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { registryUntil } from '../../functions/registry/until.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { cancelUpload } from '../../functions/registry/upload-ending.ts';
import { type RuledSession, requireUpload } from '../../functions/registry/upload-sessions.ts';
import { appendChunk, startUpload } from '../../functions/registry/uploads.ts';
import { bodyOf, type Fixture, isStored, OTHER, REPOSITORY, refusal } from './fixture.ts';
import { quotaFixture } from './quota-fixture.ts';

const MINUTE = 60_000;

const { open: openForQuotas, setQuota, upload, bytesIn, later } = quotaFixture();

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openForQuotas();
});

describe('an upload under way', () => {
  const open = () => startUpload(fixture.registry, REPOSITORY);
  const append = (session: RuledSession, size: number, length?: number) =>
    appendChunk(fixture.registry, session, bodyOf(randomBytes(size)), undefined, length);

  it('counts as it comes, whether its length is told or not, and ends where there is no room', async () => {
    await setQuota({ each: { bytes: 1000 } });
    const [first, second] = [await open(), await open()];
    await append(first, 400, 400);
    await append(second, 500);
    expect(await bytesIn(REPOSITORY)).toBe(900);
    expect(await refusal(append(await open(), 101))).toBe('DENIED');
    expect(await refusal(append(await open(), 1, 101))).toBe('DENIED');
    await append(await open(), 100);
    expect(await bytesIn(REPOSITORY)).toBe(1000);
    expect(await refusal(append(await open(), 1))).toBe('DENIED');
  });

  it('counts what came of a request that was cut, and not what it said would come', async () => {
    await setQuota({ each: { bytes: 1000 } });
    const cut = async function* (size: number) {
      yield randomBytes(size);
      throw new Error('cut');
    };
    const session = await open();
    const append = async (size: number, length: number) =>
      appendChunk(fixture.registry, session, ReadableStream.from(cut(size)), undefined, length);
    expect(await refusal(append(100, 900))).toContain('cut');
    expect(await bytesIn(REPOSITORY)).toBe(100);
    // What is there stays counted, whatever comes after it.
    expect(await refusal(append(50, 1000))).toContain('cut');
    expect(await bytesIn(REPOSITORY)).toBe(100);
    expect(await refusal(append(300, 0))).toContain('cut');
    expect(await bytesIn(REPOSITORY)).toBe(300);
    await upload(REPOSITORY, 700);
  });

  it('counts the same where the client has gone, and the host calls no store any more for its request', async () => {
    await setQuota({ each: { bytes: 1000 } });
    const session = await open();
    const client = new AbortController();
    const cut = async function* () {
      yield randomBytes(100);
      client.abort(new Error('the client has gone'));
      client.signal.throwIfAborted();
    };
    const registry = registryUntil(fixture.registry, client.signal);
    const appended = appendChunk(registry, session, ReadableStream.from(cut()), undefined, 900);
    expect(await refusal(appended)).toContain('gone');
    expect(await bytesIn(REPOSITORY)).toBe(100);
    await upload(REPOSITORY, 900);
  });

  it('is not ended by a chunk that is sent again while it is under way, for which there is no room', async () => {
    await setQuota({ each: { bytes: 1000 } });
    const session = await open();
    const rest = Promise.withResolvers<Uint8Array>();
    const slow = async function* () {
      yield randomBytes(1);
      yield await rest.promise;
    };
    const first = appendChunk(fixture.registry, session, ReadableStream.from(slow()), 0, 600);
    await expect.poll(() => bytesIn(REPOSITORY)).toBe(600);
    const again = appendChunk(fixture.registry, session, bodyOf(randomBytes(600)), 0, 600);
    expect(await again).toMatchObject({ is: 'outOfOrder' });
    rest.resolve(randomBytes(599));
    expect(await first).toMatchObject({ is: 'accepted', session: { upload: { offset: 600 } } });
    expect(
      await refusal(append(await requireUpload(fixture.registry, REPOSITORY, session.id), 401, 401)),
    ).toBe('DENIED');
  });

  it('makes room at once where it is cancelled, refused for its digest, or becomes a blob of fewer bytes', async () => {
    const { registry } = fixture;
    await setQuota({ each: { bytes: 2_000_000 } });
    for (let n = 0; n < 5; n += 1) {
      const session = await open();
      await append(session, 1_900_000);
      await cancelUpload(registry, await requireUpload(registry, REPOSITORY, session.id));
      const { id } = await open();
      const finish = { repository: REPOSITORY, id, body: bodyOf(randomBytes(1_900_000)), start: undefined };
      const digest = digestOf('sha256', Buffer.of());
      expect(await refusal(finishUpload(registry, { ...finish, digest }))).toBe('DIGEST_INVALID');
    }
    await upload(REPOSITORY, 1_000_001); // a step of 1 MiB more was held
    await upload(REPOSITORY, 999_999);
  });

  it('is given up after an hour without a request, where its room is needed, and no sooner', async () => {
    await setQuota({ each: { bytes: 1000 } });
    later();
    const session = await open();
    await append(session, 900);
    fixture.clock += 60 * MINUTE - 1;
    expect(await refusal(upload(REPOSITORY, 101))).toBe('DENIED');
    fixture.clock += 1;
    await upload(REPOSITORY, 1000);
    expect(await isStored(fixture.registry, session.upload.objectKey)).toBe(false);
  });

  it('counts until its bytes are deleted, however long nothing was: a machine was off', async () => {
    const { registry, table } = fixture;
    await setQuota({ each: { bytes: 1000 } });
    const session = await open();
    await append(session, 900);
    fixture.clock += 30 * 24 * 60 * MINUTE;
    expect(await refusal(upload(REPOSITORY, 101))).toBe('DENIED');
    await drainOutbox(registry);
    await table.removeExpired(fixture.clock);
    expect(await isStored(registry, session.upload.objectKey)).toBe(false);
    later();
    await upload(REPOSITORY, 1000);
  });

  it('counts where a quota is set only then, once it goes on', async () => {
    const session = await open();
    await append(session, 900);
    await setQuota({ each: { bytes: 1000 } });
    const now = await requireUpload(fixture.registry, REPOSITORY, session.id);
    expect(await refusal(append(now, 101, 101))).toBe('DENIED');
  });
});

it('manifests count, small and large, and a large one that is refused leaves nothing', async () => {
  const { registry } = fixture;
  await setQuota({ each: { bytes: 100_000 } });
  const manifest = (size: number) => ({
    repository: REPOSITORY,
    bytes: Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [],
        annotations: { filler: randomBytes(size / 2).toString('hex') },
      }),
    ),
    contentType: 'application/vnd.oci.image.index.v1+json',
    digest: undefined,
    tags: [],
  });
  const [small, large] = [manifest(10_000), manifest(60_000)];
  await putManifest(registry, small);
  await putManifest(registry, large);
  await putManifest(registry, large);
  expect(await bytesIn(REPOSITORY)).toBe(small.bytes.length + large.bytes.length);
  const before = await registry.blobs.list(undefined, 1000);
  for (let n = 0; n < 3; n += 1)
    expect(await refusal(putManifest(registry, manifest(60_000)))).toBe('DENIED');
  expect(await refusal(putManifest(registry, manifest(40_000)))).toBe('DENIED');
  expect(await registry.blobs.list(undefined, 1000)).toEqual(before);
});

it('a large manifest that was deleted counts once when it is back, and each of its objects while it is pushed', async () => {
  const { registry, justBefore } = fixture;
  await setQuota({ each: { bytes: 50_000 } });
  const filler = randomBytes(10_000).toString('hex');
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { filler } }));
  const contentType = 'application/vnd.oci.image.index.v1+json';
  const push = () =>
    putManifest(registry, { repository: REPOSITORY, bytes, contentType, digest: undefined, tags: [] });
  const { digest } = await push();
  await deleteManifest(registry, REPOSITORY, digest);
  later();
  let another: string | undefined;
  justBefore('M#', async () => {
    another = await refusal(push());
  });
  await push();
  expect(another).toBe('DENIED');
  expect(await bytesIn(REPOSITORY)).toBe(bytes.length);
  await upload(REPOSITORY, 50_000 - bytes.length);
});

it('a caller may have so many uploads open, in whatever repository, and not one more', async () => {
  const registry = { ...fixture.registry, actor: 'user:alice', maxUploads: 5 };
  const [first] = [await startUpload(registry, REPOSITORY)];
  for (let n = 1; n < 5; n += 1) await startUpload(registry, n % 2 ? OTHER : REPOSITORY);
  expect(await refusal(startUpload(registry, OTHER))).toBe('TOOMANYREQUESTS');
  await startUpload({ ...registry, actor: 'user:bob' }, OTHER);
  await cancelUpload(registry, first);
  await startUpload(registry, OTHER);
  fixture.clock += 7 * 24 * 60 * MINUTE;
  await startUpload(registry, OTHER);
});
