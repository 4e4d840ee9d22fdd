import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { serve } from '../../local/server.ts';
import { openFixture } from '../registry/fixture.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';

const TLS = join(import.meta.dirname, 'tls');

async function start(data: string, environment: Record<string, string> = {}): Promise<RegistryProcess> {
  const registry = await RegistryProcess.start(data, environment);
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

const passwordIn = (banner: string) => /^ {4}(\S{24})$/m.exec(banner)?.[1];

async function statusOfLogin(url: string, password = ''): Promise<number> {
  const Authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
  return (await fetch(`${url}/token`, { headers: { Authorization } })).status;
}

it('shows the password of its first admin when it first starts, and never again', async () => {
  const data = await scratch();
  const first = await start(data);
  const password = passwordIn(first.banner);
  expect(await statusOfLogin(first.url, password)).toBe(200);
  await expect.poll(() => first.log.join()).toMatch(/"principal":"user:admin".*"operation":"token\.issue"/);
  expect(await statusOfLogin(first.url, 'admin')).toBe(401);
  await first.stop('SIGTERM');
  const second = await start(data);
  expect(passwordIn(second.banner)).toBeUndefined();
  expect(second.banner).not.toContain(password);
  expect(await statusOfLogin(second.url, password)).toBe(200);
});

it('sends whoever has no token to its own token endpoint, as the client names it', async () => {
  const { url } = await start(await scratch());
  const response = await fetch(`${url}/v2/a/tags/list`);
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe(
    `Bearer realm="${url}/token",service="stowage",scope="repository:a:pull"`,
  );
});

it('sends them to its public URL where it has one', async () => {
  const { port } = await start(await scratch(), { STOWAGE_PUBLIC_URL: 'https://r.example.com' });
  const response = await fetch(`http://127.0.0.1:${port}/v2/`);
  expect(response.headers.get('www-authenticate')).toContain('realm="https://r.example.com/token"');
});

it('speaks TLS, and says https in its challenge', async () => {
  const { url } = await start(await scratch(), {
    STOWAGE_TLS_CERT: join(TLS, 'cert.pem'),
    STOWAGE_TLS_KEY: join(TLS, 'key.pem'),
  });
  expect(url).toMatch(/^https:/);
  const challenge = await new Promise((resolve, reject) => {
    const sent = request(`${url}/v2/`, { ca: readFileSync(join(TLS, 'cert.pem')) }, (answer) => {
      resolve(answer.headers['www-authenticate']);
      answer.resume();
    });
    sent.on('error', reject).end();
  });
  expect(challenge).toContain(`realm="${url}/token"`);
});

it.each([
  { proxies: 0, seen: '127.0.0.1', scheme: 'http' },
  { proxies: 1, seen: '192.0.2.9', scheme: 'http' },
  { proxies: 2, seen: '192.0.2.7', scheme: 'https' },
  { proxies: 9, seen: '198.51.100.1', scheme: 'https' },
])(
  'takes the word of $proxies proxies in a row for who sends a request',
  async ({ proxies, seen, scheme }) => {
    const { registry } = await openFixture();
    const senders: unknown[] = [];
    const app = createApp({ registry });
    const server = await serve(
      (incoming, sender) => {
        senders.push(sender);
        return app(incoming, sender);
      },
      { host: '127.0.0.1', port: 0, proxies },
    );
    onTestFinished(() => server.close());
    const headers = {
      'X-Forwarded-For': '198.51.100.1, 192.0.2.7, 192.0.2.9',
      'X-Forwarded-Proto': 'https, http',
    };
    await (await fetch(`${server.url}/v2/`, { headers })).arrayBuffer();
    expect(senders).toEqual([{ address: seen, scheme, requestId: expect.any(String) }]);
  },
);

it('takes the password of its first admin from a file, and shows it nowhere', async () => {
  const folder = await scratch();
  const file = join(folder, 'password');
  const password = 'correct horse battery';
  await writeFile(file, `${password}\n`);
  const { url, banner, log } = await start(join(folder, 'data'), { STOWAGE_ADMIN_PASSWORD_FILE: file });
  expect(await statusOfLogin(url, password)).toBe(200);
  expect(`${banner}${log}`).not.toContain(password);
  expect(banner).not.toContain('shown once');
});

it.each([
  ['short', 'STOWAGE_ADMIN_PASSWORD_FILE: .* has no password of 12 to 256 characters'],
  ['two lines of\npasswords', 'has no password'],
])('does not start with %j for the password of its first admin', async (text, why) => {
  const folder = await scratch();
  const file = join(folder, 'password');
  await writeFile(file, text);
  const environment = { STOWAGE_ADMIN_PASSWORD_FILE: file };
  await expect(start(join(folder, 'data'), environment)).rejects.toThrow(new RegExp(why));
});
