import { describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { deleteBlob, mountBlob, requireBlob, requireBlobForPush } from '../../functions/registry/blobs.ts';
import { blobKey, digestKey, repositoryKey } from '../../functions/registry/keys.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { cancelUpload } from '../../functions/registry/upload-ending.ts';
import { requireUpload } from '../../functions/registry/upload-sessions.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import { bodyOf, isStored, OTHER, openFixture, pushBlob, REPOSITORY, refusal, through } from './fixture.ts';

// The timelines of docs/concurrency.md, each driven to the step where it could go wrong.

const DAY = 24 * 60 * 60 * 1000;
const read = async (body: ReadableStream | undefined) => body && new Response(body).bytes();

describe('an upload', () => {
  it('and another of the same content share one object; the other is discarded', async () => {
    const fixture = await openFixture();
    const { registry, table, justBefore } = fixture;
    const bytes = Buffer.from('the same');
    justBefore('B#', () => pushBlob(registry, OTHER, bytes));
    const { digest } = await pushBlob(registry, REPOSITORY, bytes);
    const [mine, others] = [
      await requireBlob(registry, REPOSITORY, digest),
      await requireBlob(registry, OTHER, digest),
    ];
    expect(mine.objectKey).toBe(others.objectKey);
    expect(await table.get(digestKey(digest))).toMatchObject({ links: 2 });
    fixture.clock += DAY - 1;
    expect(await drainOutbox(registry)).toBe(0);
    fixture.clock += 1;
    expect(await drainOutbox(registry)).toBe(1);
    expect(await read(await registry.blobs.read(mine))).toEqual(new Uint8Array(bytes));
  });

  it('that finishes just before it is cancelled stays readable', async () => {
    const { registry, justBefore } = await openFixture();
    const bytes = Buffer.from('finished');
    const digest = digestOf('sha256', bytes);
    const { id } = await startUpload(registry, REPOSITORY);
    const session = await requireUpload(registry, REPOSITORY, id);
    const finish = { repository: REPOSITORY, id, body: bodyOf(bytes), start: undefined, digest };
    justBefore('U#', () => finishUpload(registry, finish));
    expect(await refusal(cancelUpload(registry, session))).toBe('BLOB_UPLOAD_UNKNOWN');
    const blob = await requireBlob(registry, REPOSITORY, digest);
    expect(await read(await registry.blobs.read(blob))).toEqual(new Uint8Array(bytes));
  });

  it('is unknown to whoever has not opened it, in its own repository too', async () => {
    const { registry } = await openFixture();
    const { id } = await startUpload({ ...registry, actor: 'user:alice' }, REPOSITORY);
    const asOther = { ...registry, actor: 'user:bob' };
    expect(await refusal(requireUpload(asOther, REPOSITORY, id))).toBe('BLOB_UPLOAD_UNKNOWN');
    expect(await requireUpload({ ...registry, actor: 'user:alice' }, REPOSITORY, id)).toMatchObject({ id });
  });

  it('that is cancelled just before it finishes is unknown, and nothing of it is readable', async () => {
    const { registry, justBefore } = await openFixture();
    const digest = digestOf('sha256', Buffer.from('cancelled'));
    const { id } = await startUpload(registry, REPOSITORY);
    const session = await requireUpload(registry, REPOSITORY, id);
    justBefore('B#', () => cancelUpload(registry, session));
    const finish = {
      repository: REPOSITORY,
      id,
      body: bodyOf(Buffer.from('cancelled')),
      start: undefined,
      digest,
    };
    expect(await refusal(finishUpload(registry, finish))).toBe('BLOB_UPLOAD_UNKNOWN');
    expect(await refusal(requireBlob(registry, REPOSITORY, digest))).toBe('BLOB_UNKNOWN');
    expect(await isStored(registry, session.upload.objectKey)).toBe(false);
  });

  it('is unknown after a week, not a minute before, and a day later its bytes go', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const { id } = await startUpload(registry, REPOSITORY);
    const { upload } = await requireUpload(registry, REPOSITORY, id);
    await registry.blobs.append(upload, bodyOf(Buffer.from('left behind')), {
      isCurrent: async () => true,
      commit: async () => true,
    });
    fixture.clock += 7 * DAY - 60_000;
    expect(await drainOutbox(registry)).toBe(0);
    expect(await requireUpload(registry, REPOSITORY, id)).toMatchObject({ id });
    fixture.clock += 60_000;
    expect(await refusal(requireUpload(registry, REPOSITORY, id))).toBe('BLOB_UPLOAD_UNKNOWN');
    expect(await drainOutbox(registry)).toBe(0);
    fixture.clock += DAY;
    expect(await drainOutbox(registry)).toBe(1);
    expect(await isStored(registry, upload.objectKey)).toBe(false);
  });

  it('cannot finish any more once the outbox has begun to delete its object', async () => {
    const fixture = await openFixture();
    const { registry, justBefore } = fixture;
    const bytes = Buffer.from('too late');
    const digest = digestOf('sha256', bytes);
    const { id } = await startUpload(registry, REPOSITORY);
    justBefore('B#', async () => {
      fixture.clock += 8 * DAY;
      await drainOutbox(registry);
    });
    const finish = { repository: REPOSITORY, id, body: bodyOf(bytes), start: undefined, digest };
    expect(await refusal(finishUpload(registry, finish))).toBeDefined();
    expect(await refusal(requireBlob(registry, REPOSITORY, digest))).toBe('BLOB_UNKNOWN');
  });
});

describe('the last link of a blob', () => {
  it('is not waited for: who takes another one away does not start again', async () => {
    const { registry, table, justBefore } = await openFixture();
    const bytes = Buffer.from('of three repositories');
    const third = 'team/third' as RepositoryName;
    for (const name of [OTHER, third]) await pushBlob(registry, name, bytes);
    const { digest } = await pushBlob(registry, REPOSITORY, bytes);
    justBefore('B#', () => deleteBlob(registry, OTHER, digest));
    let lost = 0;
    const watched = through(registry.table, {
      async write(operations) {
        const outcome = await registry.table.write(operations);
        if (!outcome.committed) lost += 1;
        return outcome;
      },
    });
    await deleteBlob({ ...registry, table: watched }, REPOSITORY, digest);
    expect(lost).toBe(0);
    expect(await table.get(digestKey(digest))).toMatchObject({ links: 1 });
  });

  it('is that of the second of two who delete at once: the bytes go, a day later', async () => {
    const fixture = await openFixture();
    const { registry, table, justBefore } = fixture;
    const bytes = Buffer.from('of two repositories');
    await pushBlob(registry, OTHER, bytes);
    const { digest } = await pushBlob(registry, REPOSITORY, bytes);
    const { objectKey } = await requireBlob(registry, REPOSITORY, digest);
    justBefore('B#', () => deleteBlob(registry, OTHER, digest));
    await deleteBlob(registry, REPOSITORY, digest);
    expect(await table.get(digestKey(digest))).toBeUndefined();
    fixture.clock += DAY;
    await drainOutbox(registry);
    expect(await isStored(registry, objectKey)).toBe(false);
  });

  it('takes the bytes with it a day later, not sooner', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const { digest } = await pushBlob(registry);
    const { objectKey } = await requireBlob(registry, REPOSITORY, digest);
    await deleteBlob(registry, REPOSITORY, digest);
    fixture.clock += DAY - 1;
    await drainOutbox(registry);
    expect(await isStored(registry, objectKey)).toBe(true);
    fixture.clock += 1;
    expect(await drainOutbox(registry)).toBe(1);
    expect(await isStored(registry, objectKey)).toBe(false);
  });

  it('deleted just before a mount leaves nothing to mount', async () => {
    const { registry, justBefore } = await openFixture();
    const { digest } = await pushBlob(registry);
    justBefore('B#', () => deleteBlob(registry, REPOSITORY, digest));
    const mount = { repository: OTHER, digest, from: REPOSITORY, choose: first };
    expect(await mountBlob(registry, mount)).toBe(false);
    expect(await refusal(requireBlob(registry, OTHER, digest))).toBe('BLOB_UNKNOWN');
  });

  it('deleted while a mount makes its repository is not linked again to bytes that are going', async () => {
    const { registry, table, justBefore } = await openFixture();
    const { digest } = await pushBlob(registry);
    justBefore('#', () => deleteBlob(registry, REPOSITORY, digest));
    const mount = { repository: OTHER, digest, from: REPOSITORY, choose: first };
    expect(await mountBlob(registry, mount)).toBe(false);
    expect(await table.get(digestKey(digest))).toBeUndefined();
  });

  it('is not the last where a mount came just before the delete', async () => {
    const fixture = await openFixture();
    const { registry, justBefore } = fixture;
    const { digest } = await pushBlob(registry);
    const mount = { repository: OTHER, digest, choose: first };
    justBefore('#', () => mountBlob(registry, mount));
    await deleteBlob(registry, REPOSITORY, digest);
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    const { objectKey } = await requireBlob(registry, OTHER, digest);
    expect(await isStored(registry, objectKey)).toBe(true);
  });

  it('pushed again after its delete has an object of its own, which the old one does not take along', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const bytes = Buffer.from('again');
    const { digest } = await pushBlob(registry, REPOSITORY, bytes);
    await deleteBlob(registry, REPOSITORY, digest);
    await pushBlob(registry, REPOSITORY, bytes);
    fixture.clock += 2 * DAY;
    expect(await drainOutbox(registry)).toBe(1);
    const blob = await requireBlob(registry, REPOSITORY, digest);
    expect(await read(await registry.blobs.read(blob))).toEqual(new Uint8Array(bytes));
  });

  it('is mounted only from where the caller may pull', async () => {
    const { registry } = await openFixture();
    const { digest } = await pushBlob(registry);
    const mount = { repository: OTHER, digest, choose: async () => undefined };
    expect(await mountBlob(registry, mount)).toBe(false);
    expect(await mountBlob(registry, { ...mount, from: REPOSITORY })).toBe(false);
  });
});

/** A caller who may pull from anywhere. */
const first = async (sources: readonly RepositoryName[]) => sources[0];

describe('a touch', () => {
  it('by HEAD of a pusher lifts the blob to the present epoch, and never back', async () => {
    const { registry, table, justBefore } = await openFixture();
    const { digest } = await pushBlob(registry);
    const link = blobKey(REPOSITORY, digest);
    await table.write([{ update: repositoryKey(REPOSITORY), add: { epoch: 3 } }]);
    await requireBlobForPush(registry, REPOSITORY, digest);
    expect(await table.get(link)).toMatchObject({ touched: 3 });
    await table.write([{ update: link, set: { touched: 1 } }]);
    justBefore('B#', () => table.write([{ update: link, set: { touched: 5 } }])); // a push of a later epoch
    await requireBlobForPush(registry, REPOSITORY, digest);
    expect(await table.get(link)).toMatchObject({ touched: 5 });
  });
});
