import { expect, it } from 'vitest';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { Downloads } from '../../functions/registry/downloads.ts';
import { setVisibility } from '../../functions/registry/repositories.ts';
import { imageOf, push, pushBlob } from '../registry/fixture.ts';
import { openApi, PASSWORD, tokenFor } from './fixture.ts';

const REPOSITORY = 'team/app' as RepositoryName;
const LAYER = 1000;

it('downloads are limited by policy, in the protocol, told by month, and kept from nobody else', async () => {
  const api = await openApi();
  Object.assign(api.registry, { downloads: new Downloads(() => undefined) });
  const root = await api.as('root');
  expect((await root('PUT /policies/open', { repositories: ['team/*'], downloads: {} })).status).toBe(400);
  const policy = { repositories: ['team/*'], downloads: { anonymous: 3 * LAYER, all: 10 * LAYER } };
  expect((await root('PUT /policies/open', policy)).status).toBe(200);
  const blob = await pushBlob(api.registry, REPOSITORY, Buffer.alloc(LAYER));
  await push(api.registry, imageOf(blob), 'v1');
  await setVisibility(api.registry, REPOSITORY, true);
  const credentials = { username: 'root', password: PASSWORD };
  const scope = 'repository:team/app:pull';
  const tokens = {
    root: await tokenFor(api.send, credentials, scope),
    nobody: await anonymousToken(api.send, scope),
  };
  const get = (who: keyof typeof tokens, headers: Record<string, string> = {}, method = 'GET') =>
    api.send(
      new Request(`http://registry.test/v2/team/app/blobs/${blob.digest}`, {
        method,
        headers: { ...headers, authorization: `Bearer ${tokens[who]}` },
      }),
    );

  for (let layer = 0; layer < 2; layer += 1) expect((await get('nobody')).status).toBe(200);
  expect((await get('nobody', { range: 'bytes=0-499' })).status).toBe(206);
  // What sends no bytes counts none.
  expect((await get('nobody', {}, 'HEAD')).status).toBe(200);
  expect((await get('nobody', { 'if-none-match': `"${blob.digest}"` })).status).toBe(304);
  expect((await get('nobody', { range: 'bytes=500-999' })).status).toBe(206);
  const refused = await get('nobody');
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({
    errors: [
      {
        code: 'TOOMANYREQUESTS',
        message: expect.stringContaining('the policy "open" allows all who have no login together'),
        detail: { policy: 'open', of: 'anonymous', limit: 3 * LAYER },
      },
    ],
  });
  expect((await get('root')).status).toBe(200);

  const { body } = await root('GET /traffic');
  expect(body).toEqual({
    month: '2026-01',
    repositories: [{ repository: 'team/app', downloads: 5, bytes: 4 * LAYER }],
    principals: [
      { principal: 'anonymous', downloads: 4, bytes: 3 * LAYER },
      { principal: 'user:root', downloads: 1, bytes: LAYER },
    ],
    limits: [
      { policy: 'open', of: 'anonymous', limit: 3 * LAYER, used: 3 * LAYER, percent: 100 },
      { policy: 'open', of: 'all', limit: 10 * LAYER, used: 10 * LAYER, percent: 100 },
    ],
  });
  expect((await root('GET /traffic?month=2025-12')).body['repositories']).toEqual([]);
  await api.addUser('alice');
  expect((await (await api.as('alice'))('GET /traffic')).status).toBe(403);
});

async function anonymousToken(send: (request: Request) => Promise<Response>, scope: string): Promise<string> {
  const response = await send(new Request(`http://registry.test/token?scope=${scope}`));
  return ((await response.json()) as { token: string }).token;
}
