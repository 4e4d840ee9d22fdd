import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Table } from '../../functions/storage/table.ts';
import { imageOf, indexOf, OTHER, push, pushBlob, REPOSITORY } from '../registry/fixture.ts';
import { type Api, type Caller, DAY, grant, openApi, PASSWORD, tokenFor } from './fixture.ts';

const USAGE = `GET /repositories/${REPOSITORY}/-/usage`;

type Blob = Awaited<ReturnType<typeof pushBlob>>;

const blobOf = (api: Api, size: number, repository = REPOSITORY) =>
  pushBlob(api.registry, repository, randomBytes(size));

/** An image of a config and these layers. */
async function pushImage(api: Api, config: Blob, layers: readonly Blob[], ...tags: string[]) {
  const bytes = imageOf(config, { layers });
  await push(api.registry, bytes, ...tags);
  return bytes;
}

async function usageOf(caller: Caller, query = '') {
  const { status, body } = await caller(`${USAGE}${query}`);
  expect(status).toBe(200);
  return body as Record<string, Record<string, unknown>>;
}

describe('the usage of a repository', () => {
  it('counts what tags lead to once, and what of it would go with them', async () => {
    const api = await openApi();
    const base = await blobOf(api, 1000);
    const [one, two, three] = [await blobOf(api, 10), await blobOf(api, 20), await blobOf(api, 30)];
    await pushImage(api, one, [base], 'v1', 'latest');
    await pushImage(api, two, [base], 'v2');
    await pushImage(api, three, [base]);
    await blobOf(api, 7); // of a push that is under way
    const root = await api.as('root');
    const all = await usageOf(root);
    expect(all['tagged']).toMatchObject({
      ...{ tags: 3, manifests: 2, blobs: 3, bytes: 1030, ownBytes: 30, blobsPerImage: 2 },
    });
    expect(all['repository']).toMatchObject({ tags: 3, manifests: 3, blobs: 5, bytes: 1067 });
    const some = await usageOf(root, '?tags=v*');
    expect(some['tagged']).toMatchObject({ tags: 2, manifests: 2, bytes: 1030, ownBytes: 20 });
    const none = await usageOf(root, '?tags=x*');
    expect(none['tagged']).toMatchObject({ tags: 0, manifests: 0, bytes: 0, ownBytes: 0, metadataBytes: 0 });
  });

  it('follows an index to its images, and an image to its signature', async () => {
    const api = await openApi();
    const [config, layer, signature] = [await blobOf(api, 10), await blobOf(api, 500), await blobOf(api, 3)];
    const image = await pushImage(api, config, [layer]);
    await push(api.registry, indexOf(image), 'multi');
    const described = { mediaType: 'application/vnd.oci.image.manifest.v1+json', size: image.length };
    const subject = { ...described, digest: await push(api.registry, image) };
    await push(api.registry, imageOf(signature, { subject }));
    const { tagged } = await usageOf(await api.as('root'), '?tags=multi');
    expect(tagged).toMatchObject({ tags: 1, manifests: 3, blobs: 3, bytes: 513, ownBytes: 513 });
  });

  it('tells admins of the registry, and nobody else, what other repositories hold, too', async () => {
    const api = await openApi();
    const bytes = randomBytes(1000);
    const base = await pushBlob(api.registry, REPOSITORY, bytes);
    await pushBlob(api.registry, OTHER, bytes);
    await pushImage(api, await blobOf(api, 10), [base], 'v1');
    await api.addUser('lead', grant('team/app', 'admin'));
    const { tagged, repository } = await usageOf(await api.as('root'));
    expect(tagged).toMatchObject({ bytes: 1010, elsewhereBytes: 1000, apportionedBytes: 510 });
    expect(repository).toMatchObject({ bytes: 1010, elsewhereBytes: 1000, apportionedBytes: 510 });
    const lead = await usageOf(await api.as('lead'));
    expect(lead['tagged']).toMatchObject({ bytes: 1010 });
    expect(JSON.stringify(lead)).not.toMatch(/elsewhere|apportioned/);
  });

  it('estimates the items in the table', async () => {
    const api = await openApi();
    const root = await api.as('root');
    await pushImage(api, await blobOf(api, 10), [], 'v1');
    const first = await usageOf(root);
    const bytes = Number(first['tagged']?.['metadataBytes']);
    expect(bytes).toBeGreaterThan(1500); // a tag, a manifest, an edge, a link, a digest and a linker
    expect(bytes).toBeLessThan(4000);
    expect(Number(first['repository']?.['metadataBytes'])).toBeGreaterThan(bytes);
    await pushImage(api, await blobOf(api, 10), [], 'v2');
    const second = await usageOf(root);
    expect(Number(second['tagged']?.['metadataBytes'])).toBeCloseTo(2 * bytes, -2);
  });

  it('is for who may pull; the audit trail is for admins of the repository', async () => {
    const api = await openApi();
    await api.addUser('lead', grant('team/*', 'admin'));
    await api.addUser('dev', grant('team/*', 'pull'));
    await api.addUser('other', grant('else/*', 'admin'));
    await pushImage(api, await blobOf(api, 10), [], 'v1');
    expect(await usageOf(await api.as('lead'), '?days=30')).toHaveProperty('activity');
    expect(await usageOf(await api.as('dev'), '?days=30')).not.toHaveProperty('activity');
    expect((await (await api.as('other'))(USAGE)).status).toBe(404);
    expect((await api.withToken(undefined)(USAGE)).status).toBe(401);
  });

  it('counts pushes by tag, and logins to pull, of so many days', async () => {
    const api = await openApi();
    await api.addUser('dev', grant('team/*', 'pull', 'push'));
    await pushImage(api, await blobOf(api, 10), [], 'v1');
    await pushByApi(api, 'old');
    api.clock += 10 * DAY;
    await pushByApi(api, 'v2');
    await pushByApi(api, 'nightly');
    const dev = { username: 'dev', password: PASSWORD };
    for (const scope of [`${REPOSITORY}:pull`, `${REPOSITORY}:pull`, `${OTHER}:pull`])
      await tokenFor(api.send, dev, `repository:${scope}`);
    await get(api, 'v2');
    const root = await api.as('root');
    const { activity } = await usageOf(root, '?days=5');
    const since = new Date(api.clock - 5 * DAY).toISOString();
    expect(activity).toEqual({ pushes: 2, pullLogins: 2 + 1, pulledTags: 1, since });
    expect((await usageOf(root, '?days=30'))['activity']).toMatchObject({ pushes: 3 });
    const ofTags = await usageOf(root, '?days=30&tags=v*');
    expect(ofTags['activity']).toMatchObject({ pushes: 1, pulledTags: 1 });
  });

  it('says so where there is no time to read all', async () => {
    const api = await openApi();
    await pushImage(api, await blobOf(api, 10), [], 'v1');
    const root = await api.as('root');
    slowDown(api, 'R#', 25_000);
    expect((await root(USAGE)).body).toEqual({ complete: false });
  });

  it('counts as many days of the trail as there is time for, and says how many', async () => {
    const api = await openApi();
    await api.addUser('dev', grant('team/*', 'push'));
    await pushByApi(api, 'v1');
    api.clock += 300 * DAY;
    await pushByApi(api, 'v2');
    const root = await api.as('root');
    const now = api.clock;
    slowDown(api, 'AUDIT#', 1000); // a second for each day, and 20 there are
    const activity = (await usageOf(root, '?days=365'))['activity'] as { since: string; pushes: number };
    expect(activity.pushes).toBe(1);
    expect(Date.parse(activity.since)).toBeGreaterThan(now - 200 * DAY);
    expect(Date.parse(activity.since)).toBeLessThan(now - 20 * DAY);
  });

  it('refuses what it does not know, and a repository that is not there', async () => {
    const api = await openApi();
    await pushImage(api, await blobOf(api, 10), [], 'v1');
    const root = await api.as('root');
    for (const query of ['?tags=', '?days=0', '?days=366', '?days=many', '?tag=v1'])
      expect((await root(`${USAGE}${query}`)).status).toBe(400);
    expect((await root('GET /repositories/none/such/-/usage')).status).toBe(404);
  });
});

/** Lets time pass with each query of a partition that starts so. */
function slowDown(api: Api, partition: string, milliseconds: number): void {
  const table: Table = api.registry.table;
  const query = table.query.bind(table);
  Object.assign(table, {
    query(asked: Parameters<Table['query']>[0]) {
      if (asked.partition.startsWith(partition)) api.clock += milliseconds;
      return query(asked);
    },
  });
}

const pushToken = (api: Api) =>
  tokenFor(api.send, { username: 'dev', password: PASSWORD }, `repository:${REPOSITORY}:pull,push`);

async function pushByApi(api: Api, tag: string): Promise<void> {
  const config = await blobOf(api, 10);
  const request = new Request(`http://registry.test/v2/${REPOSITORY}/manifests/${tag}`, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${await pushToken(api)}`,
      'content-type': 'application/vnd.oci.image.manifest.v1+json',
    },
    body: imageOf(config) as Uint8Array<ArrayBuffer>,
  });
  expect((await api.send(request)).status).toBe(201);
}

/** A pull by its tag, with a login of its own. */
async function get(api: Api, tag: string): Promise<void> {
  const dev = { username: 'dev', password: PASSWORD };
  const authorization = `Bearer ${await tokenFor(api.send, dev, `repository:${REPOSITORY}:pull`)}`;
  const url = `http://registry.test/v2/${REPOSITORY}/manifests/${tag}`;
  expect((await api.send(new Request(url, { headers: { authorization } }))).status).toBe(200);
}
