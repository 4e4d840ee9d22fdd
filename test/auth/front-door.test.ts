import { beforeEach, describe, expect, it } from 'vitest';
import { type Answered, type App, createApp } from '../../functions/app.ts';
import { TableKeys } from '../../functions/auth/table-keys.ts';
import { UploadTokens } from '../../functions/auth/upload-tokens.ts';
import { FRONT_HEADERS } from '../../functions/environment.ts';
import { FrontDoor, secretHash } from '../../functions/front-door.ts';
import { listAudit } from '../../functions/identity/audit.ts';
import { setVisibility } from '../../functions/registry/repositories.ts';
import { REPOSITORY } from '../registry/fixture.ts';
import { basic, openWorld, PRINCIPALS, sendAs, type World } from './world.ts';

// Where there is a front door, it is the only way in, and the only one to be believed about who sent a request.

const SECRET = 'only the front door knows this';
const HOST = 'registry.example.com';
const HONEST = {
  [FRONT_HEADERS.secret]: SECRET,
  [FRONT_HEADERS.address]: '192.0.2.7',
  [FRONT_HEADERS.host]: HOST,
};

let world: World;
let answered: Answered[];
let app: App;
beforeEach(async () => {
  world = await openWorld();
  answered = [];
  const { registry, authentication } = world;
  const uploads = new UploadTokens({ keys: new TableKeys(registry), now: registry.now });
  const front = new FrontDoor({ hashes: secretHash(SECRET), uploads });
  app = createApp({ registry, authentication, front, onAnswer: (one) => answered.push(one) });
});

const send = (path: string, headers: Record<string, string>, init: RequestInit = {}, to = app) =>
  to(
    new Request(`http://internal.test${path}`, { ...init, headers: { Host: 'internal.test', ...headers } }),
    {
      address: '10.0.0.1',
      scheme: 'http',
    },
  );

const realmOf = (response: Response) =>
  /realm="([^"]*)"/.exec(response.headers.get('www-authenticate') ?? '')?.[1];

describe('while one secret takes the place of another', () => {
  it('the front door is let in with either, and nobody with both or with neither', async () => {
    const { registry, authentication } = world;
    const front = new FrontDoor({ hashes: `${secretHash('new one')},${secretHash('old one')},` });
    const rotating = createApp({ registry, authentication, front, onAnswer: () => undefined });
    const statusWith = async (secret: string) =>
      (await send('/v2/', { ...HONEST, [FRONT_HEADERS.secret]: secret }, {}, rotating)).status;
    expect([await statusWith('new one'), await statusWith('old one')]).toEqual([401, 401]);
    expect([await statusWith('new one,old one'), await statusWith('')]).toEqual([403, 403]);
  });
});

describe('a request that did not come through the front door', () => {
  const without: Record<string, Record<string, string>> = {
    'without the secret': { [FRONT_HEADERS.address]: '192.0.2.7' },
    'with a wrong secret': { ...HONEST, [FRONT_HEADERS.secret]: `${SECRET}.` },
    'with an empty secret': { ...HONEST, [FRONT_HEADERS.secret]: '' },
    'with the secret and another': { ...HONEST, [FRONT_HEADERS.secret]: `${SECRET}, ${SECRET}` },
  };

  it.each(Object.entries(without))(
    '%s is refused, wherever it goes, and told where to go',
    async (_, headers) => {
      for (const path of ['/v2/', '/token', '/api/users', '/', '/v2/%ff/tags/list']) {
        const response = await send(path, headers);
        expect([path, response.status]).toEqual([path, 403]);
        const text = await response.text();
        expect(text).toContain('front door');
        // The management API says it in its own form.
        if (path !== '/api/users') expect(JSON.parse(text)).toMatchObject({ errors: [{ code: 'DENIED' }] });
      }
      expect(new Set(answered.map(({ address }) => address))).toEqual(new Set(['10.0.0.1']));
    },
  );

  it('changes nothing, and does not fill the trail', async () => {
    const login = await PRINCIPALS.user(world, 'alice', [{ pattern: '*', actions: ['admin'] }]);
    expect((await send('/token', { Authorization: basic(login) })).status).toBe(403);
    const range = { since: 0, until: world.fixture.clock + 1, limit: 10 };
    expect((await listAudit(world.registry, range)).records).toEqual([]);
  });

  it('says so to HEAD too', async () => {
    const response = await send('/v2/', {}, { method: 'HEAD' });
    expect(response.headers.get('warning')).toContain('front door');
  });
});

describe('a request through the front door', () => {
  it('is challenged with the host that the client named, over https', async () => {
    expect(realmOf(await send('/v2/', HONEST))).toBe(`https://${HOST}/token`);
    expect(realmOf(await send('/v2/', { ...HONEST, [FRONT_HEADERS.host]: 'a"b' }))).toBe(
      'https://localhost/token',
    );
  });

  it('comes from the address that the front door saw, in log and trail', async () => {
    expect((await send('/token', { ...HONEST, Authorization: 'Basic YTpi' })).status).toBe(401);
    const range = { since: 0, until: world.fixture.clock + 1, limit: 10 };
    const { records } = await listAudit(world.registry, range);
    expect(records).toMatchObject([{ operation: 'token.issue', address: '192.0.2.7' }]);
    expect(answered).toMatchObject([{ address: '192.0.2.7' }]);
  });

  it('is limited in its failed logins by that address, not by that of the front door', async () => {
    const statusOf = async (address: string, n: number) => {
      const login = { username: `stranger-${n}`, password: 'wrong' };
      const headers = { ...HONEST, [FRONT_HEADERS.address]: address, Authorization: basic(login) };
      return (await send('/token', headers)).status;
    };
    for (let n = 0; n < 100; n += 1) expect(await statusOf('192.0.2.8', n)).toBe(401);
    expect([await statusOf('192.0.2.8', 100), await statusOf('192.0.2.9', 100)]).toEqual([429, 401]);
  });

  it('is answered with a Location that lets the bytes past the registry, a fresh one each time', async () => {
    const login = await PRINCIPALS.user(world, 'alice', [{ pattern: REPOSITORY, actions: ['push'] }]);
    const through: World = {
      ...world,
      app: (request) => {
        for (const [name, value] of Object.entries(HONEST)) request.headers.set(name, value);
        return app(request);
      },
    };
    const started = await sendAs(through, login, `/v2/${REPOSITORY}/blobs/uploads/`, { method: 'POST' });
    const location = started.headers.get('location') ?? '';
    expect(location).toMatch(
      new RegExp(
        `^/v2/${REPOSITORY}/blobs/uploads/([0-9a-f-]{36})\\?offset=0&token=[0-9a-f]{16}\\.\\d{10}\\.\\1\\.[\\w-]{43}$`,
      ),
    );
    world.fixture.clock += 1000;
    const body = new Uint8Array(10);
    const next = await sendAs(through, login, location, { method: 'PATCH', body });
    expect(next.headers.get('location')).toMatch(/^.*\?offset=10&token=/);
    expect(next.headers.get('location')).not.toBe(location);
    const outOfOrder = await sendAs(through, login, location, {
      method: 'PATCH',
      body,
      headers: { 'Content-Range': '5-14' },
    });
    expect([outOfOrder.status, outOfOrder.headers.get('location')]).toEqual([
      416,
      expect.stringContaining('&token='),
    ]);
  });
});

it('without a front door, nobody is believed who speaks like one, and uploads have no token', async () => {
  const { registry, authentication } = world;
  await setVisibility(registry, REPOSITORY, true);
  const plain = createApp({ registry, authentication, onAnswer: (one) => answered.push(one) });
  expect(realmOf(await send('/v2/', HONEST, {}, plain))).toBe('http://internal.test/token');
  expect(answered).toMatchObject([{ address: '10.0.0.1' }]);
  const login = await PRINCIPALS.user(world, 'alice', [{ pattern: REPOSITORY, actions: ['push'] }]);
  const started = await sendAs(world, login, `/v2/${REPOSITORY}/blobs/uploads/`, { method: 'POST' });
  expect(started.headers.get('location')).toMatch(/\/[0-9a-f-]{36}\?offset=0$/);
});
