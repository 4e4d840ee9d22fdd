import { describe, expect, it } from 'vitest';
import type { Tag } from '../../functions/oci/reference.ts';
import { recordPull } from '../../functions/registry/pulls.ts';
import { listTagDetails } from '../../functions/registry/tag-details.ts';
import { imageOf, push, pushBlob, REPOSITORY, through } from '../registry/fixture.ts';
import { type Api, DAY, openApi } from './fixture.ts';

const TAGS = `GET /repositories/${REPOSITORY}/-/tags`;
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

/** An image with a config that says its platform, and one layer. */
async function imageFor({ registry }: Api, platform: object, layerBytes: number) {
  const text = Buffer.from(JSON.stringify({ ...platform, rootfs: { type: 'layers', diff_ids: [] } }));
  const config = { ...(await pushBlob(registry, REPOSITORY, text)), mediaType: CONFIG };
  const layer = await pushBlob(registry, REPOSITORY, Buffer.alloc(layerBytes, layerBytes));
  const bytes = imageOf(config, { layers: [layer] });
  return { bytes, digest: await push(registry, bytes), size: config.size + layerBytes };
}

type Image = Awaited<ReturnType<typeof imageFor>>;

function indexOf(...entries: readonly (readonly [Image, object])[]): Buffer {
  const manifests = entries.map(([{ digest, bytes }, platform]) => ({
    ...{ mediaType: MANIFEST, digest, size: bytes.length },
    platform,
  }));
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
}

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64', variant: 'v8' };
const NONE = { os: 'unknown', architecture: 'unknown' };

describe('the details of tags', () => {
  it('tell in a list the size of an image, the platforms of an index, and the last pull by tag or digest', async () => {
    const api = await openApi();
    const image = await imageFor(api, AMD64, 1000);
    await push(api.registry, image.bytes, 'plain', 'unpulled');
    const other = await imageFor(api, ARM64, 500);
    await push(api.registry, indexOf([image, AMD64], [other, ARM64], [other, NONE]), 'multi');
    await recordPull(api.registry, REPOSITORY, { kind: 'tag', tag: 'multi' as Tag });
    const { body } = await (await api.as('root'))(TAGS);
    const today = '2026-01-01T00:00:00.000Z';
    expect(body['tags']).toMatchObject([
      { name: 'multi', platforms: ['linux/amd64', 'linux/arm64/v8'], lastPulledAt: today },
      { name: 'plain', imageBytes: image.size },
      { name: 'unpulled', imageBytes: image.size },
    ]);
    const plain = (body['tags'] as object[])[1];
    expect(plain).not.toHaveProperty('lastPulledAt');
    await recordPull(api.registry, REPOSITORY, { kind: 'digest', digest: image.digest });
    const again = (await (await api.as('root'))(TAGS)).body['tags'];
    expect(again).toMatchObject([{}, { lastPulledAt: today }, { lastPulledAt: today }]);
  });

  it('tell of one tag also what an image runs on, what the images of an index take together, and what refers to it', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const [amd, arm] = [await imageFor(api, AMD64, 1000), await imageFor(api, ARM64, 1000)]; // the layer is shared
    await push(api.registry, amd.bytes, 'plain');
    await push(api.registry, indexOf([amd, AMD64], [arm, ARM64]), 'multi');
    const subject = { mediaType: MANIFEST, digest: amd.digest, size: amd.bytes.length };
    const signature = imageOf(await pushBlob(api.registry), { subject, artifactType: 'application/example' });
    const digest = await push(api.registry, signature);
    expect((await root(`${TAGS}/plain`)).body).toMatchObject({
      ...{ imageBytes: amd.size, platforms: ['linux/amd64'], moreReferrers: false },
      referrers: [{ digest, artifactType: 'application/example', size: signature.length }],
    });
    expect((await root(`${TAGS}/multi`)).body).toMatchObject({
      ...{ imageBytes: amd.size + arm.size - 1000, platforms: ['linux/amd64', 'linux/arm64/v8'] },
      referrers: [],
    });
  });

  it('leave out what a manifest does not say', async () => {
    const api = await openApi();
    await push(api.registry, imageOf(await pushBlob(api.registry)), 'artifact');
    await push(
      api.registry,
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] })),
      'empty',
    );
    const root = await api.as('root');
    const artifact = (await root(`${TAGS}/artifact`)).body;
    expect(artifact).toMatchObject({ imageBytes: 100 });
    expect(artifact).not.toHaveProperty('platforms');
    const empty = (await root(`${TAGS}/empty`)).body;
    expect(empty).not.toHaveProperty('imageBytes');
    expect(empty).not.toHaveProperty('platforms');
  });

  it('cost three reads a page, however many tags it has', async () => {
    const api = await openApi();
    const bytes = imageOf(await pushBlob(api.registry));
    for (let page = 0; page < 3; page += 1) {
      const tags = Array.from({ length: 20 }, (_, n) => `v${page}-${n}`);
      await push(api.registry, bytes, ...tags);
    }
    let calls = 0;
    const { table } = api.registry;
    const counted =
      <A extends readonly unknown[], R>(call: (...given: A) => R) =>
      (...given: A) => {
        calls += 1;
        return call(...given);
      };
    const { query, getMany, get } = through(table);
    const watched = through(table, { query: counted(query), getMany: counted(getMany), get: counted(get) });
    const found = await listTagDetails({ ...api.registry, table: watched }, REPOSITORY, { limit: 100 });
    expect(found.tags).toHaveLength(60);
    expect(calls).toBe(3);
  });
});

describe('a list by prefix', () => {
  it('has the tags that begin so, in pages', async () => {
    const api = await openApi();
    const root = await api.as('root');
    await push(api.registry, imageOf(await pushBlob(api.registry)), 'v1.0', 'v1.1', 'v2.0', 'latest', 'V1');
    const names = async (query: string) => {
      const { body } = await root(`${TAGS}?${query}`);
      return [(body['tags'] as { name: string }[]).map(({ name }) => name), body['next']];
    };
    expect(await names('prefix=v1')).toEqual([['v1.0', 'v1.1'], undefined]);
    expect(await names('prefix=v&n=2')).toEqual([['v1.0', 'v1.1'], 'v1.1']);
    expect(await names('prefix=v&n=2&last=v1.1')).toEqual([['v2.0'], undefined]);
    expect(await names('prefix=v&last=a')).toEqual([['v1.0', 'v1.1', 'v2.0'], undefined]);
    expect(await names('prefix=v&last=w')).toEqual([[], undefined]);
    expect(await names('prefix=')).toEqual([['V1', 'latest', 'v1.0', 'v1.1', 'v2.0'], undefined]);
    expect((await root(`${TAGS}?prefix=v*`)).body).toMatchObject({ errors: [{ path: 'prefix' }] });
  });

  it('has the repositories that begin so', async () => {
    const api = await openApi();
    const root = await api.as('root');
    for (const name of ['team/a', 'team/b', 'teams', 'other'])
      await root(`PUT /repositories/${name}`, { visibility: 'private' });
    const names = async (query: string) =>
      ((await root(`GET /repositories?${query}`)).body['repositories'] as { name: string }[]).map(
        ({ name }) => name,
      );
    expect(await names('prefix=team/')).toEqual(['team/a', 'team/b']);
    expect(await names('prefix=team&n=1&last=team/b')).toEqual(['teams']);
    expect(await names('prefix=none')).toEqual([]);
    expect((await root('GET /repositories?prefix=Team')).body).toMatchObject({
      errors: [{ path: 'prefix' }],
    });
  });
});

describe('the usage of a repository', () => {
  it('tells its last push, its last pull, and how many manifests are about others', async () => {
    const api = await openApi();
    const { registry } = api;
    const usage = async (name: string = REPOSITORY) =>
      (await (await api.as('root'))(`GET /repositories/${name}/-/usage`)).body;
    const image = await imageFor(api, AMD64, 10);
    await push(registry, image.bytes, 'v1');
    expect(await usage()).toMatchObject({ referrers: 0, lastPushAt: '2026-01-01T00:00:00.000Z' });
    expect(await usage()).not.toHaveProperty('lastPulledAt');
    api.clock += DAY;
    await recordPull(registry, REPOSITORY, { kind: 'digest', digest: image.digest });
    api.clock += DAY;
    const subject = { mediaType: MANIFEST, digest: image.digest, size: image.bytes.length };
    await push(registry, imageOf(await pushBlob(registry), { subject }));
    expect(await usage()).toMatchObject({
      referrers: 1,
      lastPushAt: '2026-01-03T00:00:00.000Z',
      lastPulledAt: '2026-01-02T00:00:00.000Z',
    });
    await (await api.as('root'))('PUT /repositories/empty', { visibility: 'private' });
    expect(await usage('empty')).not.toHaveProperty('lastPushAt');
  });
});
