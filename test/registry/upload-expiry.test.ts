import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { requireBlob } from '../../functions/registry/blobs.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { appendChunk, startUpload } from '../../functions/registry/uploads.ts';
import { bodyOf, type Fixture, openFixture, REPOSITORY } from './fixture.ts';

const DAY = 24 * 60 * 60 * 1000;
const read = async (body: ReadableStream | undefined) => body && new Response(body).bytes();

describe('an upload that ends by its age', () => {
  const WEEK = 7 * DAY;

  it('leaves no byte where a chunk that found it open is written after the end', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const session = await startUpload(registry, REPOSITORY);
    fixture.clock += WEEK + 60_000;
    await drainOutbox(registry);
    await appendChunk(registry, session, bodyOf(Buffer.from('late')), undefined);
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    expect(await filesIn(fixture)).toEqual([]);
  });

  it('is finished by a request that found it open, or unknown, and never too busy', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const bytes = Buffer.from('just in time');
    const digest = digestOf('sha256', bytes);
    const { id } = await startUpload(registry, REPOSITORY);
    fixture.clock += WEEK - 1;
    fixture.justBefore(`B#${digest}`, async () => {
      fixture.clock += 60_000;
      await drainOutbox(registry);
    });
    const finish = { repository: REPOSITORY, id, body: bodyOf(bytes), start: undefined, digest };
    expect(await finishUpload(registry, finish)).toEqual({ is: 'stored' });
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    const blob = await requireBlob(registry, REPOSITORY, digest);
    expect(Buffer.from((await read(await registry.blobs.read(blob))) ?? [])).toEqual(bytes);
  });
});

/** All files there are, of objects and of uploads. */
async function filesIn({ root }: Fixture): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
