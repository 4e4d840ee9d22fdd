import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { deleteBlob } from '../../functions/registry/blobs.ts';
import { edgesOf, pushesOf } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import { registryUntil } from '../../functions/registry/until.ts';
import {
  type Fixture,
  imageOf,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  refusal,
  through,
} from './fixture.ts';

// A push says what it refers to before it looks whether that is there. One that is refused must leave nothing, of
// however much it was about.

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});

const descriptorOf = (bytes: Uint8Array, size = bytes.length) => ({
  mediaType: 'application/octet-stream',
  digest: digestOf('sha256', bytes),
  size,
});
const missing = (count: number) => Array.from({ length: count }, () => descriptorOf(randomBytes(10)));

/** How many edges there are, and pushes that are under way. */
async function leftovers(): Promise<readonly number[]> {
  const ranges = [edgesOf(REPOSITORY), pushesOf(REPOSITORY)];
  const found = ranges.map((range) => fixture.table.query({ ...range, limit: 100_000, keysOnly: true }));
  return (await Promise.all(found)).map(({ length }) => length);
}

describe('a push that is refused leaves nothing in the table', () => {
  it.each([1, 98, 99, 100, 250, 2000])('where %i blobs are missing', async (count) => {
    const config = await pushBlob(fixture.registry);
    const image = imageOf(config, { layers: missing(count) });
    expect(await refusal(push(fixture.registry, image, 'v1'))).toBe('MANIFEST_BLOB_UNKNOWN');
    expect(await leftovers()).toEqual([0, 0]);
  });

  it('where a descriptor has a wrong size', async () => {
    const config = await pushBlob(fixture.registry);
    const image = imageOf({ ...config, size: config.size + 1 });
    expect(await refusal(push(fixture.registry, image))).toBe('MANIFEST_INVALID');
    expect(await leftovers()).toEqual([0, 0]);
  });

  it('where a policy refuses it', async () => {
    const { registry } = fixture;
    await putPolicy(registry, { name: 'fixed', repositories: ['**'], immutable: { tags: ['*'] } });
    const config = await pushBlob(registry);
    await push(registry, imageOf(config), 'v1');
    const before = await leftovers();
    expect(await refusal(push(registry, imageOf(config, { annotations: { a: 'b' } }), 'v1'))).toBe('DENIED');
    expect(await leftovers()).toEqual(before);
  });

  it('where its client goes in the midst', async () => {
    const { registry } = fixture;
    const config = await pushBlob(registry);
    const image = imageOf(config, { layers: missing(150) });
    const client = new AbortController();
    const { table } = registry;
    const leaving = through(table, {
      write: async (operations) => {
        const outcome = await table.write(operations);
        client.abort(new Error('gone'));
        return outcome;
      },
    });
    const visited = registryUntil({ ...registry, lasting: registry, table: leaving }, client.signal);
    expect(await refusal(push(visited, image))).toContain('gone');
    expect(await leftovers()).toEqual([0, 0]);
  });
});

describe('a push that is refused takes nothing from', () => {
  it('the manifest that another push of the same has committed', async () => {
    const { registry } = fixture;
    const layer = randomBytes(10);
    const config = await pushBlob(registry);
    const image = imageOf(config, { layers: [descriptorOf(layer)] });
    // Refused for its layer, it is about to take its edges back when the layer comes, and the other push.
    fixture.justBefore('Y#', async () => {
      fixture.justBefore('Y#', async () => {
        await pushBlob(registry, REPOSITORY, layer);
        await push(registry, image, 'v1');
      });
    });
    expect(await refusal(push(registry, image))).toBe('MANIFEST_BLOB_UNKNOWN');
    expect(await leftovers()).toEqual([2, 0]);
    expect(await refusal(deleteBlob(registry, REPOSITORY, config.digest))).toBe('DENIED');
  });

  it('what a manifest left that was deleted and may come back', async () => {
    const { registry } = fixture;
    const layer = await pushBlob(registry);
    const image = imageOf(await pushBlob(registry), { layers: [layer] });
    await deleteManifest(registry, REPOSITORY, await push(registry, image, 'v1' as Tag));
    await deleteBlob(registry, REPOSITORY, layer.digest);
    expect(await refusal(push(registry, image))).toBe('MANIFEST_BLOB_UNKNOWN');
    expect(await leftovers()).toEqual([2, 0]);
  });
});
