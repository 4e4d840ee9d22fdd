import { describe, expect, it, onTestFinished } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { digestOf } from '../../functions/oci/digest.ts';
import { serve } from '../../local/server.ts';
import { settingsFrom } from '../../local/settings.ts';
import { openWorld } from '../auth/world.ts';
import { type Answer, send } from '../aws/front/fixture.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';

// What web pages have a browser send. A browser writes Host, Origin and Sec-Fetch-Site itself; a page cannot.

const BLOB = '{}';
const POST_OF_BLOB = `POST /v2/page/blobs/uploads/?digest=${digestOf('sha256', Buffer.from(BLOB))}`;

/** What a page would like to do, and what its own body for it is. */
const WISHES: Readonly<Record<string, string | undefined>> = {
  'GET /v2/': undefined,
  'GET /v2/_catalog': undefined,
  'GET /v2/app/tags/list': undefined,
  'HEAD /v2/app/manifests/latest': undefined,
  [POST_OF_BLOB]: BLOB,
  'PUT /v2/app/manifests/latest': BLOB,
  'DELETE /v2/app/manifests/latest': undefined,
  'OPTIONS /v2/': undefined,
  'GET /': undefined,
};

/** A registry as its settings have it, and where it listens. */
async function started(environment: Readonly<Record<string, string>>) {
  const { names, open } = settingsFrom(environment);
  const { registry, authentication } = await openWorld();
  const app = createApp({ registry, names, ...(!open && { authentication }) });
  const server = await serve(app, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  const { url } = server;
  return { url, port: new URL(url).port };
}

function expectRefused({ status, headers, body }: Answer, method: string): void {
  expect(status).toBe(403);
  if (method === 'HEAD') expect(headers['warning']).toMatch(/STOWAGE_HOSTS/);
  else
    expect(JSON.parse(`${body}`)).toMatchObject({ errors: [{ code: 'DENIED', message: /STOWAGE_HOSTS/ }] });
}

describe('a registry without users', () => {
  const refuses = async (registry: { readonly url: string }, headers: Record<string, string>) => {
    for (const [call, body] of Object.entries(WISHES)) {
      const [method = ''] = call.split(' ');
      const answer = await send(registry.url, call, { headers, ...(body !== undefined && { body }) });
      expectRefused(answer, method);
    }
    const { body } = await send(registry.url, 'GET /v2/_catalog');
    expect(JSON.parse(`${body}`)).toEqual({ repositories: [] });
  };

  it.each([
    'evil.example',
    'localhost.evil.example',
    'evil.example.localhost.',
    '127.0.0.1.evil.example',
    '192.0.2.7',
    '[2001:db8::1]',
    '0.0.0.0',
    'evil.example:80@localhost',
    'localhost, evil.example',
    '',
  ])('answers nobody who calls it %j, whatever else they say', async (name) => {
    const registry = await started({ STOWAGE_OPEN: '1' });
    const host = `${name}:${registry.port}`;
    await refuses(registry, { host });
    await refuses(registry, { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' });
  });

  it.each(['localhost', 'LOCALHOST', 'k3d-registry.localhost', '127.0.0.1', '127.8.9.1', '[::1]'])(
    'answers who calls it %s, from every port',
    async (name) => {
      const registry = await started({ STOWAGE_OPEN: '1' });
      for (const host of [name, `${name}:${registry.port}`, `${name}:8080`]) {
        expect((await send(registry.url, 'GET /v2/', { headers: { host } })).status).toBe(200);
        const own = { host, origin: `http://${host.toLowerCase()}`, 'sec-fetch-site': 'same-origin' };
        expect((await send(registry.url, 'GET /v2/', { headers: own })).status).toBe(200);
      }
    },
  );

  it('takes nothing from a page of another site, of another port or of none', async () => {
    const registry = await started({ STOWAGE_OPEN: '1' });
    const foreign = [
      'https://evil.example',
      'http://localhost:3000',
      'null',
      'file://',
      'chrome-extension://abc',
      '',
    ];
    for (const origin of foreign) await refuses(registry, { origin });
    for (const site of ['cross-site', 'same-site', 'Cross-Site', 'whatever']) {
      await refuses(registry, { 'sec-fetch-site': site });
      await refuses(registry, { 'sec-fetch-site': site, origin: `http://127.0.0.1:${registry.port}` });
    }
  });

  it('says what it refuses, as it is started by hand', async () => {
    const registry = await RegistryProcess.start(await scratch());
    onTestFinished(() => registry.stop('SIGKILL'));
    const answer = await send(registry.url, 'GET /v2/', { headers: { host: 'evil.example' } });
    expectRefused(answer, 'GET');
    expect(`${answer.body}`).toContain('evil.example is none');
  });
});

describe('a registry without users that is told names', () => {
  it('answers to its public URL and to the names, and pages of these may use it', async () => {
    const registry = await started({
      STOWAGE_OPEN: '1',
      STOWAGE_PUBLIC_URL: 'http://registry.example.com:8080',
      STOWAGE_HOSTS: 'host.docker.internal, ui.example.com:3000',
    });
    const statusOf = async (headers: Record<string, string>, call = 'GET /v2/') =>
      (await send(registry.url, call, { headers })).status;
    expect(await statusOf({ host: 'registry.example.com:8080' })).toBe(200);
    expect(await statusOf({ host: 'host.docker.internal:5000' })).toBe(200);
    expect(await statusOf({ host: 'registry.example.com' })).toBe(403);
    expect(await statusOf({ host: 'evil.example' })).toBe(403);
    const open = 'POST /v2/a/blobs/uploads/';
    const page = { origin: 'http://ui.example.com:3000', 'sec-fetch-site': 'cross-site' };
    expect(await statusOf(page, open)).toBe(202);
    expect(await statusOf({ ...page, origin: 'http://ui.example.com:3001' }, open)).toBe(403);
  });

  it('does not start with what is no name', async () => {
    await expect(started({ STOWAGE_OPEN: '1', STOWAGE_HOSTS: 'http://ui.example.com/' })).rejects.toThrow(
      'STOWAGE_HOSTS has what is no name of a host: "http://ui.example.com/"',
    );
  });
});

describe('a registry that is told names', () => {
  it.each([{}, { STOWAGE_OPEN: '1' }])(
    'tells load balancers its health by any address, and by no name (%j)',
    async (how) => {
      const registry = await started({ ...how, STOWAGE_HOSTS: 'registry.example.com' });
      const statusOf = async (host: string, call: string) =>
        (await send(registry.url, call, { headers: { host } })).status;
      for (const call of ['GET /healthz', 'HEAD /healthz', 'GET /readyz']) {
        for (const host of ['registry.example.com', '10.0.0.5', '10.0.0.5:5000', '[2001:db8::1]:5000'])
          expect(await statusOf(host, call), `${call} of ${host}`).toBe(200);
        expect(await statusOf('evil.example', call)).toBe(403);
      }
      for (const call of ['GET /v2/', 'GET /v2/healthz', 'GET /healthz/', 'GET //healthz'])
        expect(await statusOf('10.0.0.5:5000', call), call).not.toBe(200);
    },
  );

  it('tells no page its health', async () => {
    const { url } = await started({ STOWAGE_OPEN: '1' });
    const headers = { host: '10.0.0.5', origin: 'http://evil.example' };
    expect((await send(url, 'GET /healthz', { headers })).status).toBe(403);
  });
});

describe('a registry with users', () => {
  it('takes no change and no login from a page of another site, and is told anything by all others', async () => {
    const { url } = await started({});
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = 'grant_type=password&username=admin&password=wrong';
    const changes = ['POST /v2/a/blobs/uploads/', 'DELETE /v2/a/manifests/b', 'DELETE /api/v1/users/a'];
    for (const page of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
      for (const call of changes) expect((await send(url, call, { headers: page })).status).toBe(403);
      // Else any page could have its reader's address locked out of all logins.
      expect((await send(url, 'POST /token', { headers: { ...form, ...page }, body })).status).toBe(403);
      expect((await send(url, 'GET /v2/', { headers: page })).status).toBe(401);
    }
    for (const call of changes) expect((await send(url, call)).status).toBe(401);
    for (const host of ['registry.example.com', '192.0.2.7:5000']) {
      const own = { host, origin: `https://${host}`, 'sec-fetch-site': 'same-origin' };
      expect((await send(url, 'POST /token', { headers: { ...form, ...own }, body })).status).toBe(401);
    }
  });

  it('answers to its names only, where it is told any', async () => {
    const { url } = await started({ STOWAGE_HOSTS: 'registry.example.com' });
    expect((await send(url, 'GET /v2/', { headers: { host: 'registry.example.com' } })).status).toBe(401);
    expect((await send(url, 'GET /v2/', { headers: { host: 'evil.example' } })).status).toBe(403);
  });
});
