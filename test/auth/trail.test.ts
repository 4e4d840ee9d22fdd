import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Answered, createApp } from '../../functions/app.ts';
import { type AuditRecord, listAudit } from '../../functions/identity/audit.ts';
import { requestLine } from '../../functions/telemetry/lines.ts';
import { createLog } from '../../local/log.ts';
import { basic, type Login, openWorld, PASSWORD, PRINCIPALS, type World } from './world.ts';

// What is kept of attempts: who, where from and what, and nothing that would let a reader of it in.

const GRANTS = [{ pattern: 'team/*', actions: ['push'] }] as const;
const SENDER = { address: '192.0.2.44', scheme: 'https' } as const;

interface Watched extends World {
  readonly lines: () => Promise<string>;
  readonly trail: () => Promise<readonly AuditRecord[]>;
}

/** A registry that writes both kinds of log. */
async function openWatched(): Promise<Watched> {
  const world = await openWorld();
  const output = new PassThrough();
  const log = createLog(output as unknown as NodeJS.WriteStream, () => undefined);
  let lambdaLines = '';
  const { registry, authentication } = world;
  const app = createApp({
    registry,
    authentication,
    onAnswer(answered) {
      log(answered);
      lambdaLines += lambdaLine(answered);
    },
  });
  return {
    ...world,
    app: (request) => app(request, SENDER),
    async lines() {
      await setImmediate();
      return `${output.read()}${lambdaLines}`;
    },
    async trail() {
      const range = { since: 0, until: world.fixture.clock + 1, limit: 1000 };
      return (await listAudit(registry, range)).records;
    },
  };
}

function lambdaLine({
  request,
  response,
  operation,
  repository,
  principal,
  started,
  milliseconds,
}: Answered) {
  return requestLine({
    time: started,
    milliseconds,
    calls: 0,
    requestId: 'r',
    invocationId: 'i',
    method: request.method,
    operation,
    repository,
    principal,
    userAgent: request.headers.get('user-agent') ?? '',
    status: response.status,
  });
}

async function send({ app }: Watched, call: string, headers: Record<string, string> = {}, body?: string) {
  const [method = '', path] = call.split(' ');
  const all = { 'User-Agent': 'probe/1', ...headers };
  return app(new Request(`http://registry.test${path}`, { method, headers: all, ...(body && { body }) }));
}

const logIn = (world: Watched, login: Login, scopes: readonly string[] = []) => {
  const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]));
  return send(world, `GET /token?${query}`, { Authorization: basic(login) });
};

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

describe('the audit trail', () => {
  it('has each failed login, with the name that was claimed and where it came from', async () => {
    const world = await openWatched();
    await PRINCIPALS.user(world, 'alice', GRANTS);
    for (const username of ['alice', 'nobody', 'robot/ci']) await logIn(world, { username, password: 'x' });
    const body = `grant_type=refresh_token&refresh_token=stow_refresh_${'0'.repeat(16)}_${'0'.repeat(64)}`;
    await send(world, 'POST /token', FORM, body);
    const trail = await world.trail();
    const common = {
      time: world.fixture.clock,
      operation: 'token.issue',
      outcome: 'refused',
      status: 401,
      address: SENDER.address,
      userAgent: 'probe/1',
    };
    const claimed = ['?alice', '?nobody', '?refresh token', '?robot/ci'];
    const byName = [...trail].sort((a, b) => (a.principal < b.principal ? -1 : 1));
    expect(byName).toEqual(claimed.map((principal) => ({ ...common, principal })));
  });

  it('has each refusal of somebody who has logged in, and what it was about', async () => {
    const world = await openWatched();
    const robot = await PRINCIPALS.robot(world, 'ci', GRANTS);
    const answer = await logIn(world, robot, ['repository:team/app:delete', 'registry:api:*']);
    const { token } = (await answer.json()) as { token: string };
    const headers = { Authorization: `Bearer ${token}` };
    expect((await send(world, 'DELETE /v2/team/app/manifests/v1', headers)).status).toBe(403);
    expect((await send(world, 'GET /api/v1/users', headers)).status).toBe(403);
    const common = { principal: 'robot:ci', outcome: 'refused', status: 403, address: SENDER.address };
    expect(await world.trail()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          ...common,
          operation: 'manifest.delete',
          repository: 'team/app',
          target: '/v2/team/app/manifests/v1',
        }),
        expect.objectContaining({ ...common, operation: 'user.list', target: '/api/v1/users' }),
      ]),
    );
  });

  it('keeps no text that a terminal or a table would stumble over', async () => {
    const world = await openWatched();
    const robot = await PRINCIPALS.robot(world, 'ci', GRANTS);
    const { token } = (await (await logIn(world, robot, ['registry:api:*'])).json()) as { token: string };
    const headers = { Authorization: `Bearer ${token}`, 'User-Agent': 'agent\x9b2J/1' };
    await send(world, 'GET /api/v1/users/%1B%5B2J%0Aroot%E2%80%AE', headers);
    await logIn(world, { username: '\x1b[2J\nroot\u2028', password: 'x' });
    await send(
      world,
      `GET /api/v1/users/${encodeURIComponent('x'.concat('\u{1F433}'.repeat(400)))}`,
      headers,
    );
    const trail = await world.trail();
    expect(trail).toHaveLength(4);
    for (const record of trail) {
      for (const text of Object.values(record).map(String)) {
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(text.isWellFormed()).toBe(true);
      }
    }
  });
});

it('neither the trail nor a log has a password, a token or a secret, wherever clients put them', async () => {
  const world = await openWatched();
  const secrets: string[] = [PASSWORD, 'hunter2 of a stranger'];
  const logins = {
    user: await PRINCIPALS.user(world, 'alice', GRANTS),
    token: await PRINCIPALS.token(world, 'bob', GRANTS),
    robot: await PRINCIPALS.robot(world, 'ci', GRANTS),
  };
  for (const login of Object.values(logins)) {
    secrets.push(login.password, basic(login).slice('Basic '.length));
    const answer = await logIn(world, login, ['repository:team/app:pull,push']);
    const { token } = (await answer.json()) as { token: string };
    secrets.push(token, token.split('.')[2] ?? '');
    await send(world, 'DELETE /v2/team/app/manifests/v1', { Authorization: `Bearer ${token}` });
    await send(world, `GET /v2/?access_token=${token}`, { Authorization: `Bearer ${token}x` });
    const form = new URLSearchParams({ grant_type: 'password', access_type: 'offline', ...login });
    const offline = await send(world, 'POST /token', FORM, `${form}`);
    const { refresh_token: refresh } = (await offline.json()) as { refresh_token: string };
    secrets.push(refresh);
    await logIn(world, { username: '<token>', password: refresh });
    await logIn(world, { username: refresh, password: 'x' });
    const refreshed = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refresh });
    expect((await send(world, 'POST /token', FORM, `${refreshed}`)).status).toBe(200);
    await send(world, 'POST /token', FORM, `${refreshed}x`);
  }
  await logIn(world, { username: 'alice', password: 'hunter2 of a stranger' });
  // Some clients send a token in place of the name, and some people mix up the fields.
  for (const { password } of Object.values(logins)) {
    await logIn(world, { username: password, password: 'x-oauth-basic' });
    await logIn(world, { username: `robot/${password}`, password: 'x' });
  }
  const text = JSON.stringify(await world.trail()) + (await world.lines());
  expect(text).toContain('token.issue');
  expect(text).toContain('user:alice');
  for (const secret of secrets) expect(text).not.toContain(secret);
});
