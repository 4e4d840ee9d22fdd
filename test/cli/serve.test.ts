import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
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

it('talks to a registry whose certificate it is told to trust', async () => {
  const registry = await RegistryProcess.start(await scratch(), {
    STOWAGE_TLS_CERT: join(TLS, 'cert.pem'),
    STOWAGE_TLS_KEY: join(TLS, 'key.pem'),
  });
  onTestFinished(() => registry.stop('SIGKILL'));
  const stowage = new Stowage(await scratch());
  const login = `login ${registry.url} -u admin --password-stdin`;
  expect(await stowage.run(login, passwordIn(registry.banner))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--ca FILE'),
  });
  const ca = `--ca ${join(TLS, 'cert.pem')}`;
  await stowage.print(`${login} ${ca}`, passwordIn(registry.banner));
  expect(await stowage.json(`whoami ${ca}`)).toMatchObject({ principal: 'user:admin' });
});
