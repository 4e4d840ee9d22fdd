import { expect, it } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { ANSWER_HEADERS } from '../../functions/environment.ts';
import { ALL_ROUTES } from '../../functions/routes.ts';
import { openWorld, PRINCIPALS, sendAs } from '../auth/world.ts';
import { through } from '../registry/fixture.ts';

// What a browser could be led to open: nothing of it is to be taken for a page. The wire table asks the same of each answer.

const PARAMETERS = /<[a-z]+>/g;

const expectSafe = (response: Response, about: string) => {
  for (const [name, value] of Object.entries(ANSWER_HEADERS))
    expect(response.headers.get(name), `${about} -> ${response.status}`).toBe(value);
};

it('every endpoint tells a browser to load, run and show nothing of its answers, to whomever', async () => {
  const world = await openWorld();
  const admin = await PRINCIPALS.user(world, 'root', [{ pattern: '*', actions: ['admin'] }]);
  for (const { method, path } of [
    ...ALL_ROUTES,
    { method: 'GET', path: '/' },
    { method: 'TRACE2', path: '/v2/' },
  ]) {
    const target = path.replaceAll(PARAMETERS, 'x');
    const url = `http://registry.test${target}`;
    expectSafe(await world.app(new Request(url, { method })), `${method} ${target}`);
    expectSafe(await sendAs(world, admin, target, { method }), `${method} ${target} as admin`);
    if (method === 'GET') expectSafe(await world.app(new Request(url, { method: 'HEAD' })), `HEAD ${target}`);
  }
});

it('so does an answer that the registry is to blame for', async () => {
  const { registry, authentication } = await openWorld();
  const table = through(registry.table, { get: () => Promise.reject(new Error('gone')) });
  const app = createApp({ registry: { ...registry, table }, authentication });
  const response = await app(
    new Request('http://registry.test/token', { headers: { Authorization: 'Basic YTpi' } }),
  );
  expect(response.status).toBe(500);
  expectSafe(response, 'GET /token');
});
