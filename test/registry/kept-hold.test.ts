import { expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { keyOfHold } from '../../functions/registry/hold-items.ts';
import { openHold } from '../../functions/registry/holds.ts';
import { uploadKey } from '../../functions/registry/keys.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { attributesOf } from '../../functions/registry/upload-sessions.ts';
import type { BlobStore, ObjectKey } from '../../functions/storage/blob-store.ts';
import { bodyOf, openFixture, REPOSITORY } from './fixture.ts';

const MINUTE = 60_000;

/** A store that needs many requests to read what a client has sent to it in parts. */
const slow = (blobs: BlobStore): BlobStore => {
  const close: BlobStore['close'] = async (upload, _, { advance }) => ({
    is: (await advance?.(upload)) ? 'unfinished' : 'lost',
  });
  return Object.assign(Object.create(blobs), { close });
};

it('an upload whose bytes are being read is not given up as idle: each request keeps its hold', async () => {
  const fixture = await openFixture();
  const registry = { ...fixture.registry, blobs: slow(fixture.registry.blobs) };
  await putPolicy(registry, { name: 'q', repositories: ['*'], quota: { each: { bytes: 1e12 } } });
  const digest = digestOf('sha256', Buffer.from('large'));
  const id = registry.newId();
  const upload = { objectKey: `blobs/${id}` as ObjectKey, offset: 5e11, state: {}, sealed: digest };
  const due = registry.now() + 7 * 24 * 60 * MINUTE;
  const session = { id, repository: REPOSITORY, upload, due, held: true };
  await registry.table.write([
    { put: uploadKey(id), attributes: attributesOf(session) },
    openHold(registry, session, { bytes: 5e11 }),
  ]);
  for (let request = 0; request < 5; request += 1) {
    fixture.clock += 15 * MINUTE;
    const sent = { repository: REPOSITORY, id, body: bodyOf(new Uint8Array()), start: undefined, digest };
    expect(await finishUpload(registry, sent)).toMatchObject({ is: 'unfinished' });
  }
  expect((await registry.table.get(keyOfHold(session)))?.['at']).toBe(fixture.clock);
});
