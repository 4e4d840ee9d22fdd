import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { deleteBlob, mountBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { sharedUsageKey, usageKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { putManifest } from '../../functions/registry/manifest-push.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { deletePolicy, putPolicy, type Quota } from '../../functions/registry/policies.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { cancelUpload } from '../../functions/registry/upload-ending.ts';
import { type RuledSession, requireUpload } from '../../functions/registry/upload-sessions.ts';
import { appendChunk, startUpload } from '../../functions/registry/uploads.ts';
import { repositoriesLike, totalsOf } from '../../functions/registry/usage.ts';
import {
  bodyOf,
  type Fixture,
  isStored,
  OTHER,
  openFixture,
  pushBlob,
  REPOSITORY,
  refusal,
} from './fixture.ts';

const MINUTE = 60_000;

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture();
});

const setQuota = (quota: Quota, name = 'q', repositories = ['team/*']) =>
  putPolicy(fixture.registry, { name, repositories, quota });

/** A hundred bytes each, unless it is said. */
const upload = (repository: RepositoryName = REPOSITORY, size = 100) =>
  pushBlob(fixture.registry, repository, randomBytes(size));

const bytesIn = async (...names: RepositoryName[]) => (await totalsOf(fixture.registry, names)).bytes;

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'not refused',
    (error: Error) => error.message,
  );
}

/** Long after policies were set, when nothing is under way that does not know of them. */
const later = () => {
  fixture.clock += 2 * MINUTE;
};

describe('a quota of bytes of each repository', () => {
  it('takes what fits to the byte, and no more, each repository for itself', async () => {
    await setQuota({ each: { bytes: 300 } });
    await upload(REPOSITORY, 300);
    expect(await refusal(upload(REPOSITORY, 1))).toBe('DENIED');
    await upload(OTHER, 300);
    await upload('elsewhere/app' as RepositoryName, 1000);
  });

  it('says which policy allows how much, and how much there is', async () => {
    await setQuota({ each: { bytes: 3 * 1024 * 1024 } }, 'small');
    await upload(REPOSITORY, 2 * 1024 * 1024);
    expect(await messageOf(upload(REPOSITORY, 1.5 * 1024 * 1024))).toBe(
      'the quota of the policy "small" allows 3.0 MiB of blobs in the repository team/app; ' +
        'with 2.0 MiB in use there is no room for 1.5 MiB more',
    );
  });

  it('counts what was there before the policy', async () => {
    await upload(REPOSITORY, 250);
    await setQuota({ each: { bytes: 300 } });
    expect(await refusal(upload(REPOSITORY, 51))).toBe('DENIED');
    await upload(REPOSITORY, 50);
  });

  it('counts a blob once, however often it is pushed, and where it is mounted', async () => {
    const { registry } = fixture;
    await setQuota({ each: { bytes: 150 } });
    const bytes = randomBytes(100);
    const { digest } = await pushBlob(registry, REPOSITORY, bytes);
    await pushBlob(registry, REPOSITORY, bytes);
    await upload(OTHER, 60);
    const mount = { repository: OTHER, digest, from: REPOSITORY, choose: async () => REPOSITORY };
    expect(await refusal(mountBlob(registry, mount))).toBe('DENIED');
    expect(await refusal(requireBlob(registry, OTHER, digest))).toBe('BLOB_UNKNOWN');
    await upload(REPOSITORY, 50);
  });

  it('of several policies is the smallest', async () => {
    await setQuota({ each: { bytes: 500 } }, 'a', ['*']);
    await setQuota({ each: { bytes: 200 } }, 'b');
    await upload(REPOSITORY, 200);
    expect(await messageOf(upload(REPOSITORY, 1))).toContain('policy "b"');
  });

  it('refuses an upload before a byte is sent, where there is no room for any', async () => {
    await setQuota({ each: { bytes: 100 } });
    await upload();
    expect(await refusal(startUpload(fixture.registry, REPOSITORY))).toBe('DENIED');
    await startUpload(fixture.registry, OTHER);
  });

  it('leaves nothing of an upload that it refuses', async () => {
    const { registry } = fixture;
    await setQuota({ each: { bytes: 100 } });
    const bytes = randomBytes(101);
    const { id, upload: started } = await startUpload(registry, REPOSITORY);
    const digest = digestOf('sha256', bytes);
    const finish = { repository: REPOSITORY, id, body: bodyOf(bytes), start: undefined, digest };
    expect(await refusal(finishUpload(registry, finish))).toBe('DENIED');
    expect(await isStored(registry, started.objectKey)).toBe(false);
    expect(await refusal(requireUpload(registry, REPOSITORY, id))).toBe('BLOB_UPLOAD_UNKNOWN');
  });

  it('takes a larger limit at once, and a smaller one for what comes', async () => {
    await setQuota({ each: { bytes: 100 } });
    await upload();
    await setQuota({ each: { bytes: 200 } });
    await upload();
    expect(await fixture.table.get(usageKey(REPOSITORY))).toMatchObject({ counts: 1 });
    await setQuota({ each: { bytes: 50 } });
    expect(await refusal(startUpload(fixture.registry, REPOSITORY))).toBe('DENIED');
    expect(await bytesIn(REPOSITORY)).toBe(200);
  });
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
    expect(await refusal(open())).toBe('DENIED');
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

describe('what was deleted', () => {
  it('makes room within a minute of the last count, and not for one byte more than it was', async () => {
    const { registry } = fixture;
    await setQuota({ each: { bytes: 200 } });
    later();
    const { digest } = await upload();
    await upload();
    fixture.clock += MINUTE - 1;
    await deleteBlob(registry, REPOSITORY, digest);
    expect(await refusal(upload())).toBe('DENIED');
    fixture.clock += 1;
    await upload();
    expect(await refusal(upload(REPOSITORY, 1))).toBe('DENIED');
  });

  it('is counted once a minute at most, however often a push is refused', async () => {
    await setQuota({ each: { bytes: 100 } });
    later();
    await upload();
    later();
    for (let n = 0; n < 5; n += 1) expect(await refusal(upload())).toBe('DENIED');
    expect(await fixture.table.get(usageKey(REPOSITORY))).toMatchObject({ counts: 2 });
  });
});

describe('at the same moment', () => {
  it('two uploads of which one fits: the other is DENIED', async () => {
    const { justBefore } = fixture;
    await setQuota({ each: { bytes: 150 } });
    justBefore('W#', () => upload());
    expect(await refusal(upload())).toBe('DENIED');
    expect(await bytesIn(REPOSITORY)).toBe(100);
  });

  it('two uploads, the first ones under a quota, of which one fits: the other is DENIED', async () => {
    const { justBefore } = fixture;
    await setQuota({ each: { bytes: 150 } });
    justBefore('Q#', () => upload());
    expect(await refusal(upload())).toBe('DENIED');
    expect(await bytesIn(REPOSITORY)).toBe(100);
  });

  it('two that count afresh do not both take what was deleted for room', async () => {
    const { registry, justBefore } = fixture;
    await setQuota({ each: { bytes: 250 } });
    later();
    const { digest } = await upload();
    await upload();
    await deleteBlob(registry, REPOSITORY, digest);
    later();
    justBefore('Q#', () => upload(REPOSITORY, 150)); // another has counted, and has taken all the room there is
    expect(await refusal(upload(REPOSITORY, 100))).toBe('DENIED');
    expect(await bytesIn(REPOSITORY)).toBe(250);
    expect(await fixture.table.get(usageKey(REPOSITORY))).toMatchObject({ counts: 2, bytes: 250 });
  });

  it('forty uploads into two repositories: as many get in as fit together', async () => {
    await setQuota({ together: { bytes: 1000 } });
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, n) => refusal(upload(n % 2 ? REPOSITORY : OTHER))),
    );
    expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(10);
    expect(await bytesIn(REPOSITORY, OTHER)).toBe(1000);
  });

  it('an upload while it is counted afresh counts', async () => {
    const { registry, justBefore } = fixture;
    await setQuota({ each: { bytes: 250 } });
    later();
    const { digest } = await upload();
    await upload();
    await deleteBlob(registry, REPOSITORY, digest);
    later();
    justBefore('Q#', () => upload(REPOSITORY, 40)); // the count has been taken, and is about to be written
    expect(await refusal(upload(REPOSITORY, 120))).toBe('DENIED');
    await upload(REPOSITORY, 110);
    expect(await bytesIn(REPOSITORY)).toBe(250);
  });

  it('an upload that began before there was a quota is counted a minute later', async () => {
    const { justBefore } = fixture;
    justBefore('B#', async () => {
      await setQuota({ each: { bytes: 200 } });
      await upload(REPOSITORY, 50); // counts what there is: not yet the one that is about to be written
    });
    await upload(REPOSITORY, 100);
    later();
    expect(await refusal(upload(REPOSITORY, 51))).toBe('DENIED');
    await upload(REPOSITORY, 50);
  });
});

describe('a quota of repositories together', () => {
  it('counts them all, also those that no image was pushed to yet', async () => {
    await upload(OTHER, 150);
    await setQuota({ together: { bytes: 300 } });
    await upload(REPOSITORY, 100);
    expect(await messageOf(upload(OTHER, 51))).toContain(
      'in all its repositories together; with 250 B in use',
    );
    await upload(OTHER, 50);
  });

  it('of a policy that is gone counts nothing, and afresh when it is back', async () => {
    await setQuota({ together: { bytes: 100 } });
    await upload();
    await deletePolicy(fixture.registry, 'q');
    expect(await fixture.table.get(sharedUsageKey('q'))).toBeUndefined();
    await upload(OTHER, 200);
    await setQuota({ together: { bytes: 350 } });
    expect(await refusal(upload(REPOSITORY, 51))).toBe('DENIED');
    await upload(REPOSITORY, 50);
  });

  it('counts what was pushed while its patterns did not cover the repository', async () => {
    await setQuota({ each: { bytes: 200 } });
    await upload();
    await setQuota({ each: { bytes: 200 } }, 'q', ['other/*']);
    await upload();
    await setQuota({ each: { bytes: 200 } });
    expect(await refusal(upload(REPOSITORY, 1))).toBe('DENIED');
  });

  it('is refused, not forgotten, where more cover a repository than a push can count', async () => {
    for (let n = 0; n < 6; n += 1) await setQuota({ together: { bytes: 1000 } }, `q${n}`);
    expect(await messageOf(upload())).toContain('an admin must make them fewer');
  });
});

it('without a quota nothing is counted', async () => {
  await upload();
  await putPolicy(fixture.registry, { name: 'p', repositories: ['*'], immutable: { tags: ['v*'] } });
  await upload();
  expect(await fixture.table.get(usageKey(REPOSITORY))).toBeUndefined();
});

it('more repositories and blobs than one read takes are all counted', async () => {
  const { registry, table } = fixture;
  const names = Array.from({ length: 1005 }, (_, n) => `many/r${n}` as RepositoryName);
  const due = new Date(0).toISOString();
  for (const name of names)
    await table.write([{ put: { partition: 'SWEEPS', sort: `${due}#${name}` }, attributes: {} }]);
  expect(await repositoriesLike(registry, (name) => name.startsWith('many/'))).toHaveLength(1005);
  const partition = `R#${REPOSITORY}`;
  for (let n = 0; n < 2001; n += 1) {
    const digest = digestOf('sha256', Buffer.from(`${n}`));
    await table.write([{ put: { partition, sort: `B#${digest}` }, attributes: { size: 2 } }]);
  }
  expect(await totalsOf(registry, [REPOSITORY])).toEqual({ bytes: 4002, tags: 0 });
  const tag = 'v1' as Tag;
  await table.write([{ put: { partition, sort: `T#${tag}` }, attributes: {} }]);
  expect(await totalsOf(registry, [REPOSITORY, OTHER])).toEqual({ bytes: 4002, tags: 1 });
});
