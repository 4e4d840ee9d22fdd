import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { deleteBlob, mountBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { sharedUsageKey, usageKey } from '../../functions/registry/keys.ts';
import { deletePolicy, putPolicy } from '../../functions/registry/policies.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { requireUpload } from '../../functions/registry/upload-sessions.ts';
import { appendChunk, startUpload } from '../../functions/registry/uploads.ts';
import { repositoriesLike, totalsOf } from '../../functions/registry/usage.ts';
import { bodyOf, type Fixture, isStored, OTHER, pushBlob, REPOSITORY, refusal } from './fixture.ts';
import { quotaFixture } from './quota-fixture.ts';

const MINUTE = 60_000;

const { open: openForQuotas, setQuota, upload, bytesIn, later } = quotaFixture();

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openForQuotas();
});

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'not refused',
    (error: Error) => error.message,
  );
}

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

  it('refuses an upload before a byte is taken, where there is no room for any', async () => {
    const { registry } = fixture;
    await setQuota({ each: { bytes: 100 } });
    await upload();
    for (const length of [1, 0]) {
      let taken = 0;
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
        taken += 1;
        controller.enqueue(randomBytes(1));
      };
      const body = new ReadableStream({ pull }, { highWaterMark: 0 });
      const session = await startUpload(registry, REPOSITORY);
      expect(await refusal(appendChunk(registry, session, body, undefined, length))).toBe('DENIED');
      expect(taken).toBe(length === 0 ? 1 : 0); // whose length is not told is refused with the first of them
      expect(await isStored(registry, session.upload.objectKey)).toBe(false);
      expect(await refusal(requireUpload(registry, REPOSITORY, session.id))).toBe('BLOB_UPLOAD_UNKNOWN');
    }
    await startUpload(registry, OTHER);
  });

  it('takes a blob that is there once more, where it leaves no room', async () => {
    const { registry } = fixture;
    await setQuota({ each: { bytes: 100 } });
    const bytes = randomBytes(100);
    const { digest } = await pushBlob(registry, REPOSITORY, bytes);
    const { id } = await startUpload(registry, REPOSITORY);
    const put = { repository: REPOSITORY, id, body: bodyOf(bytes), start: undefined, digest };
    await finishUpload(registry, put);
    expect(await bytesIn(REPOSITORY)).toBe(100);
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
    expect(await refusal(upload(REPOSITORY, 1))).toBe('DENIED');
    expect(await bytesIn(REPOSITORY)).toBe(200);
  });
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
