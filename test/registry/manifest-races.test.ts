import { describe, expect, it } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { digestOf } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { graveKey, manifestKey, repositoryKey, tagKey } from '../../functions/registry/keys.ts';
import { requireManifestForPush } from '../../functions/registry/manifests.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { imageOf, openFixture, push, pushBlob, REPOSITORY, refusal } from './fixture.ts';

const DAY = 24 * 60 * 60 * 1000;

/** A manifest that lies in an object of its own. */
const large = { annotations: { padding: 'x'.repeat(50_000) } };

describe('HEAD of a manifest by its digest', () => {
  it('by somebody who may push promises it for an index: what is asked for is touched, what is only read is not', async () => {
    const { registry, table } = await openFixture();
    const digest = await push(registry, imageOf(await pushBlob(registry)), 'v1');
    await table.write([{ update: repositoryKey(REPOSITORY), add: { epoch: 3 } }]);
    const app = createApp({ registry });
    const request = (method: string, reference: string) =>
      app(new Request(`http://registry.test/v2/${REPOSITORY}/manifests/${reference}`, { method }));
    const touched = async () => (await table.get(manifestKey(REPOSITORY, digest)))?.['touched'];
    await request('GET', digest);
    await request('HEAD', 'v1');
    expect(await touched()).toBe(0);
    expect((await request('HEAD', digest)).status).toBe(200);
    expect(await touched()).toBe(3);
  });

  it('says that there is none where it was removed in between', async () => {
    const { registry, table, justBefore } = await openFixture();
    const digest = await push(registry, imageOf(await pushBlob(registry)));
    await table.write([{ update: repositoryKey(REPOSITORY), add: { epoch: 1 } }]);
    justBefore('M#', () => table.write([{ remove: manifestKey(REPOSITORY, digest) }]));
    expect(await refusal(requireManifestForPush(registry, REPOSITORY, digest))).toBe('MANIFEST_UNKNOWN');
  });
});

describe('a tag on a large manifest', () => {
  it('names the object that the manifest has, also where that was removed and pushed again just before', async () => {
    const { registry, table, justBefore } = await openFixture();
    const bytes = imageOf(await pushBlob(registry), large);
    const key = manifestKey(REPOSITORY, await push(registry, bytes));
    justBefore('T#', async () => {
      await table.write([{ remove: key }]); // as retention does it: pushes need not start again for it
      await push(registry, bytes);
    });
    await push(registry, bytes, 'v1');
    const tagged = await table.get(tagKey(REPOSITORY, 'v1' as Tag));
    expect(tagged?.['objectKey']).toBe((await table.get(key))?.['objectKey']);
  });
});

describe('a grave', () => {
  it('stays where it was filled again in the same millisecond, with another object', async () => {
    const { registry, table, justBefore, clock } = await openFixture();
    await pushBlob(registry);
    const grave = graveKey(REPOSITORY, digestOf('sha256', Buffer.from('deleted twice')));
    const bury = (objectKey: string) =>
      table.write([{ put: grave, attributes: { deletedAt: clock, objectKey } }]);
    await bury('blobs/first');
    justBefore('G#', () => bury('blobs/second'));
    await sweepRepository(registry, REPOSITORY, { epochMs: DAY, quarantineMs: 0, until: clock + DAY });
    expect(await table.get(grave)).toMatchObject({ objectKey: 'blobs/second' });
  });
});
