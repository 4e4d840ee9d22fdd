import { describe, expect, it } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { Authentication } from '../../functions/auth/authentication.ts';
import { IdTokenVerifier } from '../../functions/auth/id-tokens.ts';
import { TableKeys } from '../../functions/auth/table-keys.ts';
import { setPassword } from '../../functions/identity/users.ts';
import { type Api, openApi, PASSWORD } from './fixture.ts';

const SAME = { 'sec-fetch-site': 'same-origin' };

const HOUR = 60 * 60_000;

/** A request of a browser, to a registry that is reached by TLS. */
function browser(line: string, headers: Readonly<Record<string, string>> = {}, body?: unknown): Request {
  const [method = '', path = ''] = line.split(' ');
  return new Request(`http://registry.test${path}`, {
    method,
    headers: {
      host: 'registry.test',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

const logIn = (
  api: Api,
  headers: Readonly<Record<string, string>> = SAME,
  password = PASSWORD,
  username = 'root',
) => api.send(browser('POST /api/v1/session', headers, { username, password }));

/** What a browser sends back. */
async function cookieOf(api: Api, user = 'root'): Promise<string> {
  const response = await logIn(api, SAME, PASSWORD, user);
  expect(response.status).toBe(201);
  return response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

const statusOf = async (api: Api, line: string, headers: Readonly<Record<string, string>>, body?: unknown) =>
  (await api.send(browser(line, headers, body))).status;

describe('a session', () => {
  it('is a cookie that no script reads and no other site sends', async () => {
    const [cookie] = (await logIn(await openApi())).headers.getSetCookie();
    expect(cookie).toMatch(
      /^__Host-stowage=root\.stow_session_[0-9a-f_]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure$/,
    );
  });

  it('is good for the management API, and for nothing else', async () => {
    const api = await openApi();
    const cookie = await cookieOf(api);
    expect(await statusOf(api, 'GET /api/v1/me', { ...SAME, cookie })).toBe(200);
    expect(await statusOf(api, 'GET /v2/', { ...SAME, cookie })).toBe(401);
    expect(await statusOf(api, 'GET /v2/team/app/tags/list', { ...SAME, cookie })).toBe(401);
    const token = await api.send(browser('GET /token?scope=registry:api:*', { ...SAME, cookie }));
    const { access_token: text } = (await token.json()) as { access_token: string };
    expect(await statusOf(api, 'GET /api/v1/me', { authorization: `Bearer ${text}` })).toBe(401);
  });

  it.each(['same-site', 'cross-site', 'none'])(
    'of which another page makes use (%s) changes nothing',
    async (site) => {
      const api = await openApi();
      const headers = { cookie: await cookieOf(api), 'sec-fetch-site': site };
      const user = { name: 'eve', password: PASSWORD, description: '', grants: [] };
      expect(await statusOf(api, 'POST /api/v1/users', headers, user)).toBe(403);
      expect(await statusOf(api, 'GET /api/v1/me', headers)).toBe(401);
    },
  );

  it('counts without the word of a browser only with the header that no other page may send', async () => {
    const api = await openApi();
    const cookie = await cookieOf(api);
    expect(await statusOf(api, 'GET /api/v1/me', { cookie })).toBe(401);
    expect(await statusOf(api, 'GET /api/v1/me', { cookie, 'stowage-page': '1' })).toBe(200);
  });

  it('does not stand in where there is an Authorization header', async () => {
    const api = await openApi();
    const headers = { ...SAME, cookie: await cookieOf(api), authorization: 'Bearer nonsense' };
    expect(await statusOf(api, 'GET /api/v1/me', headers)).toBe(401);
  });

  it('ends at once with the password, with the user, and by logging out', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const first = { ...SAME, cookie: await cookieOf(api) };
    await setPassword(api.registry, 'root', PASSWORD);
    expect(await statusOf(api, 'GET /api/v1/me', first)).toBe(401);
    expect(root).toBeDefined();

    const second = { ...SAME, cookie: await cookieOf(api) };
    const left = await api.send(browser('DELETE /api/v1/session', second));
    expect(left.status).toBe(204);
    expect(left.headers.getSetCookie()[0]).toMatch(/^__Host-stowage=; .*Max-Age=0/);
    expect(await statusOf(api, 'GET /api/v1/me', second)).toBe(401);
  });

  it('of a user who is disabled is worth nothing', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const cookie = await cookieOf(api, 'alice');
    expect(await statusOf(api, 'GET /api/v1/me', { ...SAME, cookie })).toBe(200);
    expect((await (await api.as('root'))('PATCH /users/alice', { disabled: true })).status).toBe(200);
    expect(await statusOf(api, 'GET /api/v1/me', { ...SAME, cookie })).toBe(401);
  });

  it('of a user who was disabled stays over when they are let in again', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const root = await api.as('root');
    const cookie = await cookieOf(api, 'alice');
    await root('PATCH /users/alice', { disabled: true });
    await root('PATCH /users/alice', { disabled: false });
    expect(await statusOf(api, 'GET /api/v1/me', { ...SAME, cookie })).toBe(401);
    expect(await statusOf(api, 'GET /api/v1/me', { ...SAME, cookie: await cookieOf(api, 'alice') })).toBe(
      200,
    );
  });

  it('is not listed once a new password has ended it', async () => {
    const api = await openApi();
    await cookieOf(api);
    await setPassword(api.registry, 'root', PASSWORD);
    const cookie = await cookieOf(api);
    const list = await api.send(browser('GET /api/v1/me/sessions', { ...SAME, cookie }));
    expect((await list.json()) as unknown).toMatchObject({ sessions: [{ current: true }] });
  });

  it.each(['[', 'a:b:c', 'x:99999'])("is nobody's at %s over plain HTTP, which is no host", async (host) => {
    const { registry } = await openApi();
    const [keys, workloads] = [new TableKeys(registry), new IdTokenVerifier()];
    const app = createApp({ registry, authentication: new Authentication({ registry, keys, workloads }) });
    expect((await app(browser('GET /api/v1/repositories', { host }))).status).toBe(200);
  });

  it('ends after twelve hours, and after one in which nothing asks', async () => {
    const api = await openApi();
    const headers = { ...SAME, cookie: await cookieOf(api) };
    for (let passed = 0; passed < 11.5; passed += 0.5) {
      expect(await statusOf(api, 'GET /api/v1/me', headers)).toBe(200);
      api.clock += HOUR / 2;
    }
    expect(await statusOf(api, 'GET /api/v1/me', headers)).toBe(200);
    api.clock += HOUR / 2;
    expect(await statusOf(api, 'GET /api/v1/me', headers)).toBe(401);
    const idle = { ...SAME, cookie: await cookieOf(api) };
    api.clock += HOUR;
    expect(await statusOf(api, 'GET /api/v1/me', idle)).toBe(401);
  });

  it('is another one with each login, and can be ended from another browser', async () => {
    const api = await openApi();
    const [one, two] = [await cookieOf(api), await cookieOf(api)];
    expect(one).not.toBe(two);
    const list = await api.send(browser('GET /api/v1/me/sessions', { ...SAME, cookie: two }));
    const { sessions } = (await list.json()) as { sessions: { id: string; current: boolean }[] };
    expect(sessions.filter(({ current }) => current)).toHaveLength(1);
    expect(sessions).toHaveLength(2);
    const other = sessions.find(({ current }) => !current)?.id;
    expect(await statusOf(api, `DELETE /api/v1/me/sessions/${other}`, { ...SAME, cookie: two })).toBe(204);
    expect(await statusOf(api, 'GET /api/v1/me', { ...SAME, cookie: one })).toBe(401);
    expect(await statusOf(api, 'GET /api/v1/me', { ...SAME, cookie: two })).toBe(200);
  });

  it('is neither listed nor ended by an access token of the user', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const cookie = await cookieOf(api);
    const list = await root('GET /me/sessions');
    const [session] = list.body['sessions'] as { id: string }[];
    const made = await root('POST /users/root/tokens', { description: 'ci' });
    const token = await api.as({ username: 'root', password: `${made.body['secret']}` });
    expect((await token('GET /me/sessions')).status).toBe(403);
    expect((await token(`DELETE /me/sessions/${session?.id}`)).status).toBe(403);
    expect(await statusOf(api, 'GET /api/v1/me', { ...SAME, cookie })).toBe(200);
  });

  it.each([
    'root',
    '.',
    'root.',
    'root.stow_session_',
    '%00',
    `root.stow_session_0000000000000000_${'0'.repeat(64)}`,
  ])('is none by the text %s', async (text) => {
    const api = await openApi();
    expect(await statusOf(api, 'GET /api/v1/me', { ...SAME, cookie: `__Host-stowage=${text}` })).toBe(401);
  });
});

describe('logging in', () => {
  it.each([{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, {}])(
    'is for the page of the registry alone: %o',
    async (headers) => {
      expect((await logIn(await openApi(), headers as Record<string, string>)).status).toBe(403);
    },
  );

  it('takes JSON alone, which a form of another page cannot send', async () => {
    const api = await openApi();
    const request = new Request('http://registry.test/api/v1/session', {
      method: 'POST',
      headers: { ...SAME, 'content-type': 'text/plain' },
      body: JSON.stringify({ username: 'root', password: PASSWORD }),
    });
    expect((await api.send(request)).status).toBe(415);
  });

  it('with a wrong password opens no dialog of the browser, and too many are told to wait', async () => {
    const api = await openApi();
    const response = await logIn(api, SAME, 'not the password');
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).not.toMatch(/basic/i);
    expect(response.headers.getSetCookie()).toEqual([]);
    for (let tries = 1; tries < 10; tries += 1) await logIn(api, SAME, 'not the password');
    const limited = await logIn(api);
    expect(limited.status).toBe(429);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('is for users with their password, not for tokens', async () => {
    const api = await openApi();
    const made = await (await api.as('root'))('POST /users/root/tokens', { description: 'ci' });
    expect((await logIn(api, SAME, made.body['secret'] as string)).status).toBe(401);
  });

  it('is in the trail, and so is what was refused', async () => {
    const api = await openApi();
    await logIn(api, SAME, 'not the password');
    await logIn(api);
    const { body } = await (await api.as('root'))('GET /audit?operation=session.create');
    const records = body['records'] as { principal: string; outcome: string }[];
    expect(new Set(records.map(({ principal, outcome }) => `${principal} ${outcome}`))).toEqual(
      new Set(['?root refused', 'user:root allowed']),
    );
  });
});
