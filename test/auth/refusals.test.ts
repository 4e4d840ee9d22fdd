import { expect, it } from 'vitest';
import { openWorld, PRINCIPALS, sendAs } from './world.ts';

const MANIFEST = '/v2/team/app/manifests/1.0';

it('says in the body and the status line what a caller lacks, and in a warning where a HEAD has no body', async () => {
  const world = await openWorld();
  const robot = await PRINCIPALS.robot(world, 'ci', []);

  const get = await sendAs(world, robot, MANIFEST);
  expect(get.status).toBe(403);
  expect(await get.json()).toEqual({
    errors: [{ code: 'DENIED', message: 'robot:ci lacks the grant "pull" on the repository team/app' }],
  });
  expect(get.headers.get('warning')).toBeNull();
  expect(get.statusText).toBe('robot:ci lacks the grant "pull" on the repository team/app');

  const head = await sendAs(world, robot, MANIFEST, { method: 'HEAD' });
  expect(head.status).toBe(403);
  expect(head.headers.get('warning')).toBe(
    `299 - "robot:ci lacks the grant 'pull' on the repository team/app"`,
  );
});

it('answers a HEAD by whoever is called something that no header takes', async () => {
  const world = await openWorld();
  const workload = await PRINCIPALS.workload(world, 'repo:\u00e9quipe/"x"\\\u{1f680}', []);
  const head = await sendAs(world, workload, MANIFEST, { method: 'HEAD' });
  expect(head.status).toBe(403);
  expect(head.headers.get('warning')).toMatch(/^299 - "oidc:test:repo:\?quipe\/'x'\?\?+ lacks the grant/);
});

it('warns of nothing before the caller has had the chance to log in', async () => {
  const { app } = await openWorld();
  const head = await app(new Request(`http://registry.test${MANIFEST}`, { method: 'HEAD' }));
  expect(head.status).toBe(401);
  expect(head.headers.get('warning')).toBeNull();
});
