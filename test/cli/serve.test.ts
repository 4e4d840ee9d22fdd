import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, linkSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../free-port.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { passwordIn, Stowage } from './program.ts';

const ROOT = join(import.meta.dirname, '../..');
const LAUNCHER = join(ROOT, 'cli/stowage.mjs');
const TLS = join(ROOT, 'test/local/tls');

/** The same Node under another name, which to the launcher is another Node. */
function otherNode(): string {
  const folder = join(ROOT, 'node_modules/.cache');
  const path = join(folder, `node-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  rmSync(path, { force: true });
  linkSync(realpathSync(join(ROOT, 'node_modules/.bin/node')), path);
  onTestFinished(() => rmSync(path, { force: true }));
  return path;
}

it.each([
  ['the Node it brings', () => process.execPath],
  ['another Node', otherNode],
])('serves a registry until it is told to stop, started by %s', async (_, node) => {
  const port = await freePort();
  const options = ['--port', `${port}`, '--data', join(await scratch(), 'data')];
  // At the full cost of a password, which no other test pays.
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(node(), [LAUNCHER, 'serve', ...options], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void child.kill('SIGTERM'));
  let banner = '';
  child.stderr.on('data', (text) => {
    banner += text;
  });
  await expect.poll(() => banner, { timeout: 20_000 }).toContain('docker push');
  const stowage = new Stowage(await scratch());
  await stowage.print(`login 127.0.0.1:${port} -u admin --password-stdin`, passwordIn(banner));
  expect(await stowage.json('whoami')).toMatchObject({ principal: 'user:admin', admin: true });
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(banner).toContain('finishing requests');
});

it('hands on the exit code when another Node has started it', () => {
  const { status, stderr } = spawnSync(otherNode(), [LAUNCHER, 'user', 'creat'], { encoding: 'utf8' });
  expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining('stowage: ') });
});

describe('a registry whose certificate no usual CA has signed', () => {
  let registry: RegistryProcess;
  let data: string;
  let login: string;
  const logIn = (stowage: Stowage, ...ca: readonly string[]) =>
    stowage.run([...login.split(' '), ...ca], passwordIn(registry.banner));

  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'stowage-tls-'));
    registry = await RegistryProcess.start(data, {
      STOWAGE_TLS_CERT: join(TLS, 'cert.pem'),
      STOWAGE_TLS_KEY: join(TLS, 'key.pem'),
    });
    login = `login ${registry.url} -u admin --password-stdin`;
  });
  afterAll(async () => {
    await registry.stop('SIGKILL');
    rmSync(data, { recursive: true });
  });

  it('is talked to with the CA that the login was made with, wherever the commands after it run', async () => {
    const home = await scratch();
    const stowage = new Stowage(home);
    expect(await logIn(stowage)).toMatchObject({ code: 1, stderr: expect.stringContaining('--ca FILE') });
    const ca = relative(process.cwd(), join(TLS, 'cert.pem'));
    expect(await logIn(stowage, '--ca', ca)).toMatchObject({ code: 0 });
    expect(await stowage.json('whoami')).toMatchObject({ principal: 'user:admin' });
    const elsewhere = spawnSync(process.execPath, [join(ROOT, 'cli/main.ts'), 'whoami', '--json'], {
      cwd: home,
      env: { ...process.env, XDG_CONFIG_HOME: home },
      encoding: 'utf8',
    });
    expect(elsewhere.stdout).toContain('user:admin');
    expect(await logIn(stowage)).toMatchObject({ code: 0 }); // as the refusal of an ended login says
    expect(await stowage.run('logout')).toEqual({
      code: 0,
      stdout: '',
      stderr: `logged out of ${registry.url}\n`,
    });
    expect(await logIn(stowage)).toMatchObject({ code: 1, stderr: expect.stringContaining('--ca FILE') });
  });

  it('is not talked to when the file is gone or holds no certificate: the error names it and the registry', async () => {
    const stowage = new Stowage(await scratch());
    const ca = join(await scratch(), 'ca.pem');
    copyFileSync(join(TLS, 'cert.pem'), ca);
    expect(await logIn(stowage, '--ca', ca)).toMatchObject({ code: 0 });
    writeFileSync(ca, 'no longer one');
    const refusal = (why: string) => ({
      code: 1,
      stdout: '',
      stderr: `stowage: the CA of the login to ${registry.url}, ${ca}: ${why}; name it with --ca FILE\n`,
    });
    expect(await stowage.run('whoami')).toEqual(refusal('there is no certificate in it'));
    rmSync(ca);
    expect(await stowage.run('whoami')).toEqual(refusal(`ENOENT: no such file or directory, open '${ca}'`));
    expect(await stowage.run(`whoami --ca ${join(TLS, 'cert.pem')}`)).toMatchObject({ code: 0 });
    expect(await stowage.run('logout')).toMatchObject({ code: 0 });
  });
});
