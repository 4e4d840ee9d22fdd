import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { type Host, Stowage, startHost } from './program.ts';

let host: Host;

beforeAll(async () => {
  host = await startHost();
});
afterAll(() => host.stop());

it('keeps a login in a file that nobody else can read, without the password', async () => {
  const home = await scratch();
  const stowage = new Stowage(home);
  const { url } = host.registry;
  await stowage.print(`login ${url} -u admin --password-stdin`, host.password);
  const path = join(home, 'stowage/config.json');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const saved = await readFile(path, 'utf8');
  expect(JSON.parse(saved)).toMatchObject({ current: url, logins: [{ url, username: 'admin' }] });
  expect(saved).not.toContain(host.password);
});

it('ends a login for good: a copy of it is worth nothing', async () => {
  const { url } = host.registry;
  const home = await scratch();
  const stowage = new Stowage(home);
  await stowage.print(`login ${url} -u admin --password-stdin`, host.password);
  const path = join(home, 'stowage/config.json');
  const copy = await readFile(path);
  await stowage.print('logout');
  await writeFile(path, copy);
  expect(await stowage.run('whoami')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('the refresh token is not valid; log in again'),
  });
});

it('knows several registries, of which one is the current one', async () => {
  const other = await startHost();
  try {
    const stowage = await host.as();
    await stowage.print(`login ${host.registry.url} -u admin --password-stdin`, host.password);
    await stowage.print(`login ${other.registry.url} -u admin --password-stdin`, other.password);
    expect(await stowage.print('whoami')).toContain(other.registry.url);
    expect(await stowage.print(`whoami --registry ${host.registry.url}`)).toContain(host.registry.url);
    await stowage.print(`use ${host.registry.url}`);
    expect(await stowage.print('whoami')).toContain(host.registry.url);
    expect(await stowage.print('use')).toMatch(/^REGISTRY .*\n(?:.+\n){2}$/);
    await stowage.print('logout');
    expect(await stowage.print('whoami')).toContain(other.registry.url);
    await stowage.print('logout');
    expect(await stowage.run('whoami')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('which registry?'),
    });
  } finally {
    await other.stop();
  }
});

it('says who must log in where, and that a password was wrong', async () => {
  const { url } = host.registry;
  const stowage = await host.as({ STOWAGE_REGISTRY: url });
  expect(await stowage.run('user list')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: `stowage: you are not logged in to ${url}; log in: stowage login ${url}\n`,
  });
  expect(await stowage.run(`login ${url} -u admin --password-stdin`, 'wrong')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'stowage: incorrect user name or password\n',
  });
});

it('says how long to wait after too many wrong passwords', async () => {
  const stowage = await host.as();
  const { url } = host.registry;
  const guess = (password: number) =>
    fetch(`${url}/token`, { headers: { Authorization: `Basic ${btoa(`mallory:${password}`)}` } });
  // A new window may begin meanwhile; then it takes some more.
  const refusal = async () => {
    for (let count = 0; count < 10; count += 1) await guess(count);
    return (await stowage.run(`login ${url} -u mallory --password-stdin`, 'one more')).stderr;
  };
  const tooMany = /^stowage: too many .*; try again in \d+ (?:s|minutes)\n$/;
  await expect.poll(refusal, { timeout: 20_000 }).toMatch(tooMany);
});

it('sends no password in the clear to another machine, and none where it cannot ask for one', async () => {
  const stowage = await host.as();
  expect(await stowage.run('login http://registry.example.com -u a --password-stdin', 'x')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('use https://registry.example.com'),
  });
  expect(await stowage.run(`login ${host.registry.url} -u admin`)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--password-stdin'),
  });
});

it('explains a registry that cannot be reached, or has no users', async () => {
  const stowage = await host.as({ STOWAGE_USERNAME: 'a', STOWAGE_TOKEN: 'b' });
  expect(await stowage.run('whoami --registry 127.0.0.1:1')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('cannot reach http://127.0.0.1:1: '),
  });
  const open = await RegistryProcess.start(await scratch());
  try {
    const login = await stowage.run(`login ${open.url} -u admin --password-stdin`, 'x');
    expect(login).toMatchObject({ code: 1, stderr: expect.stringContaining('asks for no login') });
    const nobody = await (await host.as()).run(`user list --registry ${open.url}`);
    expect(nobody).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it is open, so that it has no users'),
    });
    // What needs no users works there, without a login.
    expect(await (await host.as()).run(`repo list --registry ${open.url}`)).toMatchObject({
      code: 0,
      stderr: 'no repositories\n',
    });
  } finally {
    await open.stop('SIGKILL');
  }
});
