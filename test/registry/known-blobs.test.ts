import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { deleteBlob, mountBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import { deleteRepository } from '../../functions/registry/repository-deletion.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { type Fixture, OTHER, openFixture, pushBlob, REPOSITORY, refusal } from './fixture.ts';

// Where quotas count bytes, a blob that the repository has is not stored again: its body is read, and compared with its digest.

const HOUR = 60 * 60 * 1000;
const BYTES = Buffer.from('the same bytes once more');
const DIGEST = digestOf('sha256', BYTES);

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture();
  const quota = { each: { bytes: 1000 } };
  await putPolicy(fixture.registry, { name: 'q', repositories: ['*'], quota });
  await pushBlob(fixture.registry, REPOSITORY, BYTES);
});

/** Sends the blob once more; `meanwhile` happens when half of it is there. */
async function sendAgain(meanwhile: () => Promise<unknown>) {
  const { registry } = fixture;
  const { id } = await startUpload(registry, REPOSITORY);
  async function* halves() {
    yield BYTES.subarray(0, 10);
    await meanwhile();
    yield BYTES.subarray(10);
  }
  const body = ReadableStream.from(halves());
  return finishUpload(registry, { repository: REPOSITORY, id, body, start: undefined, digest: DIGEST });
}

async function sweep(repository: RepositoryName = REPOSITORY) {
  fixture.clock += HOUR;
  const options = { epochMs: HOUR, quarantineMs: 0, until: Number.POSITIVE_INFINITY };
  await sweepRepository(fixture.registry, repository, options);
}

const isThere = async () => (await refusal(requireBlob(fixture.registry, REPOSITORY, DIGEST))) === undefined;

describe('a blob that is sent again', () => {
  it.each([
    ['the blob', () => deleteBlob(fixture.registry, REPOSITORY, DIGEST)],
    ['its repository', () => deleteRepository(fixture.registry, REPOSITORY)],
  ])('is deleted after it came, where somebody deletes %s meanwhile', async (_, remove) => {
    expect(await sendAgain(remove)).toEqual({ is: 'stored' });
    expect(await isThere()).toBe(false);
    await pushBlob(fixture.registry, REPOSITORY, BYTES);
    expect(await isThere()).toBe(true);
  });

  it('is there, where somebody deletes it meanwhile and somebody else pushes it once more', async () => {
    const { registry } = fixture;
    await sendAgain(async () => {
      await deleteBlob(registry, REPOSITORY, DIGEST);
      await pushBlob(registry, OTHER, BYTES);
      await mountBlob(registry, {
        repository: REPOSITORY,
        digest: DIGEST,
        from: OTHER,
        choose: async ([first]) => first,
      });
    });
    expect(await isThere()).toBe(true);
  });

  it('is not swept meanwhile, and as long after as any blob that was pushed', async () => {
    await sweep();
    // Of the push that came before, the lease ends now.
    await sendAgain(() => sweep());
    expect(await isThere()).toBe(true);
  });

  it('is not told to be there where it was swept, because its body took so long', async () => {
    const swept = async () => {
      for (let epochs = 0; epochs < 3; epochs += 1) await sweep();
      expect(await isThere()).toBe(false);
    };
    expect(await refusal(sendAgain(swept))).toBe('BLOB_UPLOAD_UNKNOWN');
  });
});
