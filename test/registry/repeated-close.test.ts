import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import { deleteBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { bodyOf, type Fixture, openFixture, pushBlob, REPOSITORY, refusal } from './fixture.ts';

const HOUR = 60 * 60_000;

const close = ({ registry }: Fixture, id: string, bytes: Uint8Array, digest: Digest) =>
  finishUpload(registry, { repository: REPOSITORY, id, body: bodyOf(bytes), start: undefined, digest });

describe('a closing PUT that is repeated within the hour', () => {
  it.each([HOUR, 24 * HOUR])('keeps the blob for one whole epoch more, of %i ms', async (epochMs) => {
    const fixture = await openFixture();
    const sweep = () => {
      const lease = { epochMs, quarantineMs: 7 * 24 * HOUR, until: Number.POSITIVE_INFINITY };
      return sweepRepository(fixture.registry, REPOSITORY, lease);
    };
    const bytes = Buffer.from('a layer');
    const digest = digestOf('sha256', bytes);
    await pushBlob(fixture.registry); // makes the repository, and its epoch 0
    fixture.clock += epochMs - 1000;
    const { id } = await startUpload(fixture.registry, REPOSITORY);
    expect(await close(fixture, id, bytes, digest)).toEqual({ is: 'stored' });
    fixture.clock += 1000;
    await sweep(); // epoch 1
    fixture.clock += HOUR - 1001;
    expect(await close(fixture, id, bytes, digest)).toEqual({ is: 'stored' });
    fixture.clock += epochMs - HOUR + 1001;
    await sweep(); // epoch 2, which takes what was touched in epoch 0
    expect(await requireBlob(fixture.registry, REPOSITORY, digest)).toMatchObject({ digest });
  });

  it('is unknown where the blob was deleted since', async () => {
    const fixture = await openFixture();
    const bytes = Buffer.from('a layer');
    const digest = digestOf('sha256', bytes);
    const { id } = await startUpload(fixture.registry, REPOSITORY);
    await close(fixture, id, bytes, digest);
    await deleteBlob(fixture.registry, REPOSITORY, digest);
    expect(await refusal(close(fixture, id, bytes, digest))).toBe('BLOB_UPLOAD_UNKNOWN');
  });
});
