import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { findRobot } from '../../functions/identity/robots.ts';
import { isSecret } from '../../functions/identity/secrets.ts';
import { UsersFile } from '../../local/users-file.ts';
import { freePort } from '../free-port.ts';
import { openFixture } from '../registry/fixture.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';

const START = join(import.meta.dirname, '../../local/start.mjs');
const SECRET = `stow_robot_${'0'.repeat(16)}_${'a'.repeat(64)}`;
const ROTATED = `stow_robot_${'1'.repeat(16)}_${'b'.repeat(64)}`;
const FILE = {
  groups: [{ name: 'dev', grants: [{ pattern: 'dev/*', actions: ['push'] }] }],
  users: [
    { name: 'root', passwordFile: 'root', grants: [{ pattern: '*', actions: ['admin'] }] },
    { name: 'alice', passwordFile: 'alice', groups: ['dev'] },
  ],
  robots: [{ name: 'ci', secretFile: 'ci', grants: [{ pattern: 'ci/*', actions: ['pull', 'push'] }] }],
};

interface Given {
  readonly content?: object;
  readonly data?: string;
}

async function folder(
  content: object = FILE,
): Promise<{ path: string; write(name: string, text: string): void }> {
  const place = await scratch();
  const write = (name: string, text: string) => writeFileSync(join(place, name), text);
  write('users.json', JSON.stringify(content));
  write('root', 'the password of root\n');
  write('alice', 'the password of alice\n');
  write('ci', `${SECRET}\n`);
  return { path: join(place, 'users.json'), write };
}

async function start(path: string, { data }: Given = {}): Promise<RegistryProcess> {
  const registry = await RegistryProcess.start(data ?? (await scratch()), { STOWAGE_USERS_FILE: path });
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

async function login(
  { url }: Pick<RegistryProcess, 'url'>,
  name: string,
  password: string,
  scope = '',
): Promise<number | string> {
  const Authorization = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  const answer = await fetch(`${url}/token?scope=${scope}`, { headers: { Authorization } });
  if (!answer.ok) return answer.status;
  const { token } = (await answer.json()) as { token: string };
  return JSON.stringify(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).access);
}

it('is not ready before its users are there, so that nobody who waits for that is refused', async () => {
  const [{ path }, data, port] = [await folder(), await scratch(), await freePort()];
  const env = { STOWAGE_USERS_FILE: path, STOWAGE_DATA: data, STOWAGE_PORT: `${port}` };
  const child = spawn(process.execPath, [START], { env, stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await expect.poll(isReady, { timeout: 20_000, interval: 10 }).toBe(true);
  expect(await login({ url }, 'robot/ci', SECRET, 'repository:ci/app:pull')).toContain('ci/app');
});

it('makes users, groups and robots of a file, once, and no other admin where the file names one', async () => {
  const [{ path }, data] = [await folder(), await scratch()];
  const registry = await start(path, { data });
  expect(registry.banner).not.toContain('Its first admin');
  expect(await login(registry, 'alice', 'the password of alice', 'repository:dev/app:push')).toContain(
    'push',
  );
  expect(await login(registry, 'robot/ci', SECRET, 'repository:ci/app:push')).toContain('push');
  expect(await login(registry, 'robot/ci', SECRET, 'repository:dev/app:push')).toContain('"actions":[]');
  expect(await login(registry, 'root', 'the password of root', 'registry:api:*')).toEqual(expect.any(String));
  await registry.stop('SIGTERM');
  const again = await start(path, { data });
  expect(await login(again, 'robot/ci', SECRET)).toEqual(expect.any(String));
});

it('takes new passwords and secrets of the file on SIGHUP, without a stop, and says what it does not take', async () => {
  const { path, write } = await folder();
  const registry = await start(path);
  write('alice', 'another password of alice');
  write('ci', ROTATED);
  registry.signal('SIGHUP');
  await expect.poll(() => registry.errors).toContain('the users file was read again');
  expect(await login(registry, 'alice', 'the password of alice')).toBe(401);
  expect(await login(registry, 'alice', 'another password of alice')).toEqual(expect.any(String));
  expect(await login(registry, 'robot/ci', SECRET)).toBe(401);
  expect(await login(registry, 'robot/ci', ROTATED)).toEqual(expect.any(String));
  write('users.json', '{"users": [{"name": "Alice"}]}');
  registry.signal('SIGHUP');
  await expect.poll(() => registry.errors).toContain('the users file was not taken');
  expect(registry.errors).toContain('users.0.name: must be lower-case letters');
  expect(await login(registry, 'alice', 'another password of alice')).toEqual(expect.any(String));
});

it('makes the first admin, too, where the file names none', async () => {
  const { path } = await folder({ users: FILE.users.slice(1), groups: FILE.groups });
  expect((await start(path)).banner).toContain('Its first admin is "admin"');
});

it.each([
  ['what is no JSON', '{', 'JSON'],
  ['a word it does not know', '{"user": []}', 'Unrecognized key'],
  ['a user who is not there, without a password', '{"users": [{"name": "bob"}]}', 'there is no user bob'],
  ['a secret of another form', '{"robots": [{"name": "ci", "secretFile": "alice"}]}', 'alice has no secret'],
  [
    'a file that is not there',
    '{"users": [{"name": "bob", "passwordFile": "bob"}]}',
    'cannot be read: ENOENT',
  ],
])('does not start with %s', async (_, text, reason) => {
  const { path, write } = await folder();
  write('users.json', text);
  await expect(start(path)).rejects.toThrow(reason);
});

it('has what the file says last, however often it is read again meanwhile', async () => {
  const { path, write } = await folder({ robots: FILE.robots });
  const file = UsersFile.read(path);
  const { registry } = await openFixture();
  let waits = true;
  const table = Object.create(registry.table, {
    get: {
      value: async (...key: Parameters<typeof registry.table.get>) => {
        if (waits) {
          waits = false;
          await sleep(50); // the first of all is the slowest
        }
        return registry.table.get(...key);
      },
    },
  });
  const told: string[] = [];
  const tell = (what: string) => void told.push(what);
  file.reread({ ...registry, table }, tell);
  await sleep(5);
  write('ci', `${ROTATED}\n`);
  file.reread({ ...registry, table }, tell);
  await expect.poll(() => told).toEqual(Array(2).fill('the users file was read again'));
  expect(isSecret(ROTATED, (await findRobot(registry, 'ci'))?.hash)).toBe(true);
});
