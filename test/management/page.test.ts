import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createApp } from '../../functions/app.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { manifestKey, pullKey, tagKey } from '../../functions/registry/keys.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import { recordPull } from '../../functions/registry/pulls.ts';
import { imageOf, indexOf, push, pushBlob, REPOSITORY } from '../registry/fixture.ts';
import { type Api, grant, openApi } from './fixture.ts';

// What the page asks for: names first, then what is known of those on the screen, then one image.

const AT = `/repositories/${REPOSITORY}/-`;
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** An image with a config of its own and layers of the sizes. */
async function imageWith({ registry }: Api, config: object, ...sizes: number[]) {
  const text = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', ...config }));
  const layers = await Promise.all(
    sizes.map(async (size) => ({
      ...(await pushBlob(registry, REPOSITORY, Buffer.alloc(size, size))),
      mediaType: LAYER,
    })),
  );
  const described = { ...(await pushBlob(registry, REPOSITORY, text)), mediaType: CONFIG };
  const bytes = imageOf(described, { layers, annotations: { title: '<img src=x onerror=alert(1)>' } });
  const imageBytes = text.length + sizes.reduce((all, size) => all + size, 0);
  return { bytes, layers, imageBytes };
}

const HISTORY = [
  { created_by: '/bin/sh -c #(nop) ADD file:1 in / ', created: '2025-12-31T00:00:00Z' },
  { created_by: 'ENV A=1', empty_layer: true },
  { created_by: 'RUN /bin/sh -c npm ci # buildkit' },
];

describe('the names of tags', () => {
  it('come all at once, in byte order, and not again to whoever has them', async () => {
    const api = await openApi();
    const image = imageOf(await pushBlob(api.registry));
    await push(api.registry, image, 'v2', 'V1', 'v10');
    const root = await api.as('root');
    const { body, headers } = await root(`GET ${AT}/tag-names`);
    expect(body).toEqual({ names: ['V1', 'v10', 'v2'] });
    expect((await root(`GET ${AT}/tag-names?n=2`)).body).toEqual({ names: ['V1', 'v10'], next: 'v10' });
    expect((await root(`GET ${AT}/tag-names?n=2&last=v10`)).body).toEqual({ names: ['v2'] });
    const known = await api.send(
      new Request(`http://registry.test/api/v1${AT}/tag-names`, {
        headers: { authorization: await tokenOf(api), 'if-none-match': headers.get('etag') ?? '' },
      }),
    );
    expect(known.status).toBe(304);
    await push(api.registry, image, 'v3');
    expect((await root(`GET ${AT}/tag-names`)).headers.get('etag')).not.toBe(headers.get('etag'));
  });
});

const tokenOf = async (api: Api) => {
  const response = await api.send(
    new Request('http://registry.test/token?scope=registry:api:*', {
      headers: { authorization: `Basic ${Buffer.from('root:correct horse battery').toString('base64')}` },
    }),
  );
  return `Bearer ${((await response.json()) as { token: string }).token}`;
};

describe('what is known of tags', () => {
  it('is told of those that are asked for, with the policies that hold them', async () => {
    const api = await openApi();
    const { registry } = api;
    const image = await imageWith(api, {}, 300, 200);
    await push(registry, image.bytes, 'v1', 'latest');
    const other = await imageWith(api, { architecture: 'arm64' }, 300, 100);
    await push(registry, other.bytes);
    const index = JSON.parse(`${indexOf(image.bytes, other.bytes)}`);
    index.manifests[0].platform = { os: 'linux', architecture: 'amd64' };
    index.manifests[1].platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
    await push(registry, Buffer.from(JSON.stringify(index)), 'multi');
    await push(registry, imageOf(await pushBlob(registry), { artifactType: 'application/chart' }), 'chart');
    const policy = { name: 'team', repositories: ['team/*'], immutable: { tags: ['v*'] } };
    await putPolicy(registry, { ...policy, retention: { pins: ['latest'] } });
    await recordPull(registry, REPOSITORY, { kind: 'tag', tag: 'v1' as Tag });
    const root = await api.as('root');
    const { body } = await root(`POST ${AT}/tags/query`, {
      names: ['v1', 'latest', 'multi', 'chart', 'gone'],
    });
    expect(body['missing']).toEqual(['gone']);
    expect(body['tags']).toMatchObject([
      { name: 'v1', kind: 'image', imageBytes: image.imageBytes, immutableBy: 'team' },
      { name: 'latest', kind: 'image', imageBytes: image.imageBytes, pinnedBy: 'team' },
      {
        name: 'multi',
        kind: 'index',
        imageBytes: image.imageBytes + other.imageBytes - 300,
        platforms: ['linux/amd64', 'linux/arm64/v8'],
      },
      { name: 'chart', kind: 'artifact', artifactType: 'application/chart' },
    ]);
    const [v1, latest] = body['tags'] as readonly Record<string, unknown>[];
    expect(v1).toMatchObject({ pulledAt: '2026-01-01T00:00:00.000Z', taggedAt: '2026-01-01T00:00:00.000Z' });
    expect(latest).not.toHaveProperty('pulledAt');
    expect((await root(`POST ${AT}/tags/query`, { names: [] })).status).toBe(400);
    expect((await root(`POST ${AT}/tags/query`, { names: ['a b'] })).status).toBe(400);
  });

  it('is read from the manifest of what was pushed before sizes were written with it', async () => {
    const api = await openApi();
    const { registry } = api;
    const image = await imageWith(api, {}, 300);
    const digest = await push(registry, image.bytes, 'old');
    const key = tagKey(REPOSITORY, 'old' as Tag);
    const { imageBytes, ...before } = (await registry.table.get(key)) ?? {};
    expect(imageBytes).toBe(image.imageBytes);
    expect(await registry.table.get(manifestKey(REPOSITORY, digest))).toMatchObject({ imageBytes });
    await registry.table.write([{ put: key, attributes: before }]);
    const { body } = await (await api.as('root'))(`POST ${AT}/tags/query`, { names: ['old'] });
    expect(body['tags']).toMatchObject([{ kind: 'image', imageBytes }]);
  });
});

describe('an image', () => {
  it('is shown with its config and the lines that made its layers, and looking at it is no pull', async () => {
    const api = await openApi();
    const config = {
      history: HISTORY,
      config: { Env: ['A=1'], Labels: { a: 'b' }, ExposedPorts: { '80/tcp': {} } },
    };
    const image = await imageWith(api, config, 300, 200);
    const digest = await push(api.registry, image.bytes, 'v1', 'latest');
    const root = await api.as('root');
    const { body } = await root(`GET ${AT}/images/v1`);
    expect(body).toMatchObject({
      ...{ digest, tag: 'v1', kind: 'image', imageBytes: image.imageBytes, tags: ['latest'], more: false },
      annotations: { title: '<img src=x onerror=alert(1)>' },
      image: {
        config: { os: 'linux', architecture: 'amd64', env: ['A=1'], ports: ['80/tcp'], labels: { a: 'b' } },
        layers: [
          { size: 300, line: 'ADD file:1 in /', createdAt: '2025-12-31T00:00:00.000Z', repositories: 1 },
          { size: 200, line: 'RUN npm ci' },
        ],
        emptyLines: [{ at: 1, line: 'ENV A=1' }],
        aligned: true,
      },
    });
    expect((await root(`GET ${AT}/images/${digest}`)).body).toMatchObject({ digest, tags: ['latest', 'v1'] });
    for (const reference of ['v1' as Tag, digest])
      expect(await api.registry.table.get(pullKey(REPOSITORY, reference))).toBeUndefined();
    await api.addUser('reader', grant('team/*', 'pull'));
    const seen = (await (await api.as('reader'))(`GET ${AT}/images/v1`)).body;
    expect(JSON.stringify(seen)).not.toContain('repositories');
  });

  it('of an index is the one of the platform; where there is none, the answer names those there are', async () => {
    const api = await openApi();
    const { registry } = api;
    const image = await imageWith(api, {}, 300);
    const digest = await push(registry, image.bytes);
    const attestation = imageOf(await pushBlob(registry));
    const about = await push(registry, attestation);
    const entry = { mediaType: MANIFEST, digest, size: image.bytes.length };
    const annotations = {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': digest,
    };
    const index = {
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [
        { ...entry, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
        { mediaType: MANIFEST, digest: about, size: attestation.length, annotations },
      ],
    };
    await push(registry, Buffer.from(JSON.stringify(index)), 'multi');
    const root = await api.as('root');
    const whole = (await root(`GET ${AT}/images/multi`)).body;
    expect(whole).toMatchObject({
      kind: 'index',
      children: [
        { digest, platform: 'linux/arm64/v8', kind: 'image', imageBytes: image.imageBytes },
        { digest: about, kind: 'attestation', of: digest, imageBytes: 100 },
      ],
    });
    expect(whole).not.toHaveProperty('image');
    const arm = (await root(`GET ${AT}/images/multi?platform=linux/arm64`)).body;
    expect(arm).toMatchObject({ image: { layers: [{ size: 300 }] } });
    const none = await root(`GET ${AT}/images/multi?platform=linux/s390x`);
    expect(none).toMatchObject({ status: 404, body: { detail: expect.stringContaining('linux/arm64/v8') } });
    expect((await root(`GET ${AT}/images/none`)).status).toBe(404);
  });

  it('that is odd is shown as far as it can be read', async () => {
    const api = await openApi();
    const odd = {
      history: [{ created_by: 7 }, null, 'x'],
      config: { Env: [1, 'A'], Labels: { a: 1 }, Cmd: 'sh' },
    };
    await push(api.registry, (await imageWith(api, odd, 10)).bytes, 'odd');
    await push(api.registry, imageOf(await pushBlob(api.registry)), 'artifact');
    const root = await api.as('root');
    expect((await root(`GET ${AT}/images/odd`)).body).toMatchObject({
      image: { config: { env: ['A'], labels: {} }, aligned: false, layers: [{ size: 10 }] },
    });
    expect((await root(`GET ${AT}/images/artifact`)).body).toMatchObject({ kind: 'artifact', image: {} });
  });
});

describe('manifests', () => {
  it('without a tag are listed with what uses them, and each tells its tags and what is about it', async () => {
    const api = await openApi();
    const { registry } = api;
    const tagged = imageOf(await pushBlob(registry));
    const child = imageOf(await pushBlob(registry));
    const alone = imageOf(await pushBlob(registry));
    const [onTag, used, unused] = [
      await push(registry, tagged, 'v1', 'moved'),
      await push(registry, child),
      await push(registry, alone, 'gone'),
    ];
    const index = await push(registry, indexOf(child), 'multi');
    await push(registry, child, 'moved');
    await push(registry, tagged, 'moved');
    const root = await api.as('root');
    await root(`DELETE ${AT}/tags/gone`);
    const subject = { mediaType: MANIFEST, digest: onTag, size: tagged.length };
    const signature = await push(
      registry,
      imageOf(await pushBlob(registry), { subject, artifactType: 'application/vnd.cncf.notary.signature' }),
    );
    const { body } = await root(`GET ${AT}/manifests?untagged=true`);
    const rows = body['manifests'] as readonly { digest: string; usedBy: readonly string[] }[];
    expect(new Map(rows.map(({ digest, usedBy }) => [digest, usedBy]))).toEqual(
      new Map([
        [used, [index]],
        [unused, []],
        [signature, []],
      ]),
    );
    expect((await root(`GET ${AT}/manifests`)).body['manifests']).toHaveLength(5);
    const first = (await root(`GET ${AT}/manifests?untagged=true&n=1`)).body;
    expect(first).toMatchObject({ manifests: [rows[0]], next: rows[0]?.digest });
    const rest = (await root(`GET ${AT}/manifests?untagged=true&n=2&last=${first['next']}`)).body;
    expect(rest).toEqual({ manifests: rows.slice(1) });
    expect((await root(`GET ${AT}/manifests/${onTag}/tags`)).body).toEqual({
      tags: ['moved', 'v1'],
      more: false,
    });
    expect((await root(`GET ${AT}/manifests/${unused}/tags`)).body).toEqual({ tags: [], more: false });
    expect((await root(`GET ${AT}/manifests/${onTag}/referrers`)).body).toMatchObject({
      referrers: [{ digest: signature, kind: 'signature' }],
    });
  });
});

describe('a tag', () => {
  it('is put on a manifest that is there, where it is still what the caller has seen', async () => {
    const api = await openApi();
    const { registry } = api;
    const [first, second] = [imageOf(await pushBlob(registry)), imageOf(await pushBlob(registry))];
    const [a, b] = [await push(registry, first, 'prod', 'v1'), await push(registry, second, 'prod')];
    await api.addUser('dev', grant('team/*', 'push'));
    const dev = await api.as('dev');
    const back = await dev(`PUT ${AT}/tags/prod`, { digest: a, ifDigest: b });
    expect(back).toMatchObject({ status: 200, body: { name: 'prod', digest: a, before: b } });
    const stale = await dev(`PUT ${AT}/tags/prod`, { digest: b, ifDigest: b });
    expect(stale).toMatchObject({ status: 409, body: { detail: expect.stringContaining(a) } });
    expect((await dev(`PUT ${AT}/tags/new`, { digest: b })).body).toEqual({ name: 'new', digest: b });
    expect((await dev(`DELETE ${AT}/tags/v1`)).body).toMatchObject({
      code: 'grant-missing',
      params: { principal: 'user:dev', action: 'delete', on: REPOSITORY },
    });
    expect((await dev(`PUT ${AT}/tags/new2`, { digest: b, ifDigest: b })).status).toBe(409);
    expect((await dev(`PUT ${AT}/tags/new`, { digest: `sha256:${'0'.repeat(64)}` })).status).toBe(404);
    await putPolicy(registry, { name: 'p', repositories: ['*'], immutable: { tags: ['prod'] } });
    expect(await dev(`PUT ${AT}/tags/prod`, { digest: b })).toMatchObject({
      status: 403,
      body: {
        detail: expect.stringContaining('policy "p"'),
        code: 'tag-immutable',
        params: { tag: 'prod', digest: a, policy: 'p' },
      },
    });
  });

  it('that somebody moves between the look and the move stays where they put it', async () => {
    const api = await openApi();
    const { registry } = api;
    const images = await Promise.all([1, 2, 3].map(async () => imageOf(await pushBlob(registry))));
    const [a, b] = images.map((bytes) => push(registry, bytes));
    await push(registry, images[0] as Buffer, 'prod');
    api.justBefore('T#prod', () => push(registry, images[2] as Buffer, 'prod'));
    const moved = await (await api.as('root'))(`PUT ${AT}/tags/prod`, { digest: await b, ifDigest: await a });
    expect(moved.status).toBe(409);
  });

  it('of many is deleted or told why not, and a dry run deletes none', async () => {
    const api = await openApi();
    const { registry } = api;
    const image = await imageWith(api, {}, 300);
    const digest = await push(registry, image.bytes, 'pr-1', 'pr-2', 'keep');
    await push(registry, imageOf(await pushBlob(registry)), 'v1');
    await putPolicy(registry, { name: 'p', repositories: ['*'], immutable: { tags: ['v*'] } });
    await api.addUser('cleaner', grant('team/*', 'delete', 'pull'));
    const cleaner = await api.as('cleaner');
    const tags = ['pr-1', 'pr-2', 'v1', 'none'];
    const expected = [
      { name: 'pr-1', outcome: 'deleted', digest, imageBytes: image.imageBytes, alsoOn: ['keep'] },
      { name: 'pr-2', outcome: 'deleted', digest, alsoOn: ['keep'] },
      { name: 'v1', outcome: 'refused', policy: 'p', reason: expect.stringContaining('immutable') },
      { name: 'none', outcome: 'missing' },
    ];
    const names = async () => (await cleaner(`GET ${AT}/tag-names`)).body['names'];
    expect((await cleaner(`POST ${AT}/tags/delete`, { tags, dryRun: true })).body['tags']).toMatchObject(
      expected,
    );
    expect(await names()).toEqual(['keep', 'pr-1', 'pr-2', 'v1']);
    expect((await cleaner(`POST ${AT}/tags/delete`, { tags })).body['tags']).toMatchObject(expected);
    expect(await names()).toEqual(['keep', 'v1']);
    // It can be undone by whoever may push.
    await (await api.as('root'))(`PUT ${AT}/tags/pr-1`, { digest });
    expect(await names()).toEqual(['keep', 'pr-1', 'v1']);
  });
});

describe('an answer of the API', () => {
  it('above 8 KiB comes by gzip to whoever takes that, and says what it depends on', async () => {
    const api = await openApi();
    const ask = (encoding: string) =>
      api.send(
        new Request('http://registry.test/api/v1/openapi.json', { headers: { 'accept-encoding': encoding } }),
      );
    const plain = await ask('br, gzip;q=0');
    const packed = await ask('gzip, deflate, br');
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect([packed.headers.get('content-encoding'), packed.headers.get('vary')]).toEqual([
      'gzip',
      'Accept-Encoding',
    ]);
    const [bytes, text] = [await packed.bytes(), await plain.text()];
    expect(gunzipSync(bytes).toString()).toBe(text);
    expect(bytes.length).toBeLessThan(text.length / 3);
    const small = await api.send(new Request('http://registry.test/api/v1/me'));
    expect(small.headers.get('content-encoding')).toBeNull();
  });
});

describe('a repository', () => {
  it('tells what the caller may do to it', async () => {
    const api = await openApi();
    await push(api.registry, imageOf(await pushBlob(api.registry)), 'v1');
    await api.addUser('dev', grant('team/*', 'push'));
    await api.addUser('nobody');
    const mayOf = async (who: string) => {
      const one = (await (await api.as(who))(`GET /repositories/${REPOSITORY}`)).body['may'];
      const [listed] = (await (await api.as(who))('GET /repositories')).body['repositories'] as {
        may: unknown;
      }[];
      expect(listed?.may).toEqual(one);
      return one;
    };
    expect(await mayOf('root')).toEqual(['pull', 'push', 'delete', 'admin']);
    expect(await mayOf('dev')).toEqual(['pull', 'push']);
    expect(await mayOf('nobody')).toBeUndefined();
    await (await api.as('root'))(`PUT /repositories/${REPOSITORY}`, { visibility: 'public' });
    expect(await mayOf('nobody')).toEqual(['pull']);
  });
});

describe('the search', () => {
  it('finds repositories, tags and digests in what the caller may see, and nothing else', async () => {
    const api = await openApi();
    const { registry } = api;
    const bytes = imageOf(await pushBlob(registry));
    const digest = await push(registry, bytes, 'v1');
    const root = await api.as('root');
    for (const name of ['team/api', 'other/app'])
      await root(`PUT /repositories/${name}`, { visibility: 'private' });
    await root('PUT /repositories/base/app', { visibility: 'public' });
    await api.addUser('dev', grant('team/*', 'pull'));
    const find = async (who: string | undefined, q: string) => {
      const caller = who === undefined ? api.withToken(undefined) : await api.as(who);
      return (await caller(`GET /search?q=${encodeURIComponent(q)}`)).body;
    };
    const none = { repositories: [], tags: [], manifests: [], more: false };
    expect(await find('root', 'APP')).toEqual({
      ...none,
      repositories: ['base/app', 'other/app', REPOSITORY],
    });
    expect(await find('dev', 'app')).toEqual({ ...none, repositories: ['base/app', REPOSITORY] });
    expect(await find(undefined, 'app')).toEqual({ ...none, repositories: ['base/app'] });
    expect(await find('dev', 'app:v1')).toEqual({
      ...none,
      tags: [{ repository: REPOSITORY, tag: 'v1', digest }],
    });
    for (const q of [digest, `app@${digest}`])
      expect(await find('dev', q)).toEqual({ ...none, manifests: [{ repository: REPOSITORY, digest }] });
    for (const q of [digest, 'app:v1', 'team', '%', "'"]) expect(await find(undefined, q)).toEqual(none);
    expect(await find('dev', `api@${digest}`)).toEqual(none);
  });
});

describe('without a login', () => {
  it('public repositories can be looked at, and the others hide behind a login, whether they exist or not', async () => {
    const api = await openApi();
    const { registry } = api;
    const digest = await push(registry, imageOf(await pushBlob(registry)), 'v1');
    const root = await api.as('root');
    await root('PUT /repositories/secret', { visibility: 'private' });
    const nobody = api.withToken(undefined);
    const paths = ['', '/-/tags', '/-/tag-names', '/-/tags/v1', '/-/images/v1', '/-/manifests'];
    for (const path of paths) {
      const [hidden, absent] = [
        await nobody(`GET /repositories/secret${path}`),
        await nobody(`GET /repositories/none${path}`),
      ];
      expect([path, hidden.status, absent.status]).toEqual([path, 401, 401]);
      expect(hidden.headers.get('www-authenticate')).toContain('scope="registry:api:*"');
      expect(`${hidden.body['detail']}`).toBe(`${absent.body['detail']}`.replace('none', 'secret'));
    }
    await root(`PUT /repositories/${REPOSITORY}`, { visibility: 'public' });
    for (const path of [...paths, `/-/manifests/${digest}/tags`])
      expect([path, (await nobody(`GET /repositories/${REPOSITORY}${path}`)).status]).toEqual([path, 200]);
    expect((await nobody('GET /repositories')).body).toEqual({
      repositories: [{ name: REPOSITORY, visibility: 'public', may: ['pull'] }],
    });
    expect((await nobody(`POST ${AT}/tags/query`, { names: ['v1'] })).body['tags']).toMatchObject([
      { name: 'v1' },
    ]);
    for (const line of [
      `GET ${AT}/usage`,
      `DELETE ${AT}/tags/v1`,
      `GET ${AT}/retention`,
      'GET /me',
      'GET /users',
    ])
      expect([line, (await nobody(line)).status]).toEqual([line, 401]);
  });
});

describe('who pushed a public image', () => {
  it('is told to whoever has logged in, and to no stranger', async () => {
    const api = await openApi();
    const registry = { ...api.registry, actor: 'oidc:https://jobs.example:repo:acme/private' as const };
    const image = imageOf(await pushBlob(registry));
    const digest = await push(registry, image, 'v1');
    const root = await api.as('root');
    await root(`PUT /repositories/${REPOSITORY}`, { visibility: 'public' });
    const names = { names: ['v1'] };
    for (const [line, body] of [
      [`GET ${AT}/tags`],
      [`GET ${AT}/tags/v1`],
      [`GET ${AT}/tags/v1/history`],
      [`GET ${AT}/images/v1`],
      [`GET ${AT}/images/${digest}`],
      [`GET ${AT}/manifests`],
      [`POST ${AT}/tags/query`, names],
    ] as const) {
      const [known, stranger] = [await root(line, body), await api.withToken(undefined)(line, body)];
      expect([line, stranger.status, JSON.stringify(known.body).includes('acme')]).toEqual([line, 200, true]);
      expect([line, JSON.stringify(stranger.body).includes('acme')]).toEqual([line, false]);
    }
  });
});

describe('a registry without users', () => {
  it('has what concerns repositories and policies, and nothing of users', async () => {
    const { registry } = await openApi();
    const app = createApp({ registry });
    const ask = (path: string) =>
      app(new Request(`http://localhost/api/v1${path}`, { headers: { host: 'localhost' } }));
    await push(registry, imageOf(await pushBlob(registry)), 'v1');
    expect(await (await ask('/me')).json()).toEqual({ principal: 'everybody', admin: true, open: true });
    for (const path of [
      '/repositories',
      `${AT}/tag-names`,
      `${AT}/images/v1`,
      '/policies',
      '/search?q=a',
      '/openapi.json',
      `${AT}/trash`,
    ])
      expect([path, (await ask(path)).status]).toEqual([path, 200]);
    for (const path of ['/users', '/robots', '/grants', '/audit', '/issuers', '/groups', '/me/password'])
      expect([path, (await ask(path)).status]).toEqual([path, 404]);
  });
});
