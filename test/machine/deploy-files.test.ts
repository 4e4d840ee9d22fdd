import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { freePort } from '../free-port.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';

// What docs/install.md points to, as far as this machine can start it; test/docs reads the rest.

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, 'deploy', path), 'utf8');
const found = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const isRequired = process.env['STOWAGE_REQUIRE_CLIENTS'] === 'all';

async function answering(url: string): Promise<void> {
  const status = () =>
    fetch(`${url}/healthz`).then(
      (answer) => answer.status,
      () => 0,
    );
  await expect.poll(status, { timeout: 20_000 }).toBe(200);
}

/** What the script of the web page is answered with; 0 where there is no page. */
async function scriptStatus(url: string): Promise<number> {
  const shell = await (await fetch(url, { headers: { accept: 'text/html' } })).text();
  const script = /src="(\/assets\/[^"]+)"/.exec(shell)?.[1];
  return script === undefined ? 0 : (await fetch(`${url}${script}`)).status;
}

it('has its page where the checkout cannot be written, as in /opt under systemd', async () => {
  const checkout = await scratch();
  for (const name of ['package.json', 'package-lock.json', 'functions', 'local', 'ui'])
    cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
  mkdirSync(join(checkout, 'node_modules'));
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter((name) => name !== '.cache'))
    symlinkSync(join(ROOT, 'node_modules', name), join(checkout, 'node_modules', name));
  writeFileSync(join(checkout, 'node_modules/.cache'), 'no folder can be made here, by root neither');
  const port = await freePort();
  const env = { STOWAGE_PORT: `${port}`, STOWAGE_DATA: join(checkout, 'data'), STOWAGE_OPEN: '1' };
  const child = spawn(process.execPath, [join(checkout, 'local/start.mjs')], { env, stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  await answering(`http://127.0.0.1:${port}`);
  expect(await scriptStatus(`http://127.0.0.1:${port}`)).toBe(200);
});

it('starts from what the image has, by its command, as it is when there is no HOME', async () => {
  const image = await scratch();
  const last =
    read('Dockerfile')
      .split(/^FROM /m)
      .at(-1) ?? '';
  const copied = [...last.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
    names.split(' '),
  );
  for (const name of copied) cpSync(join(ROOT, name), join(image, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(image, 'node_modules'));
  const [command = '', ...words]: string[] = JSON.parse(/^CMD (.+)$/m.exec(read('Dockerfile'))?.[1] ?? '[]');
  expect(command).toBe('node');
  const port = await freePort();
  const env = {
    PATH: '/usr/bin:/bin',
    STOWAGE_PORT: `${port}`,
    STOWAGE_DATA: join(image, 'data'),
    STOWAGE_OPEN: '1',
  };
  const child = spawn(process.execPath, words, { cwd: image, env, stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  await answering(url);
  const probe = /^HEALTHCHECK .*CMD (\[.+\])$/m.exec(read('Dockerfile'))?.[1] ?? '[]';
  const [, ...script]: string[] = JSON.parse(probe.replace('127.0.0.1:5000', `127.0.0.1:${port}`));
  expect(spawnSync(process.execPath, script).status).toBe(0);
  expect(await scriptStatus(url)).toBe(200);
  const backup = [join(image, 'cli/main.ts'), 'backup', join(image, 'backup')];
  expect(spawnSync(process.execPath, backup, { env, encoding: 'utf8' })).toMatchObject({ status: 0 });
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
});

it.skipIf(!found('systemd-analyze'))('has units that systemd takes, where there is systemd', async () => {
  const folder = await scratch();
  const units = ['stowage.service', 'stowage-backup.service', 'stowage-backup.timer'].map((name) => {
    const path = join(folder, name);
    writeFileSync(path, read(`systemd/${name}`).replaceAll('/opt/stowage', ROOT));
    return path;
  });
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], {
    encoding: 'utf8',
  });
  expect([status, stderr.split('\n').filter((line) => line.includes('stowage'))]).toEqual([0, []]);
});

/** nginx with the documented file, once for each place in a row. The first is the outermost. */
async function startNginx(upstream: string, tls: boolean): Promise<string> {
  const folder = await scratch();
  const port = await freePort();
  const site = read('nginx.conf')
    .replace('listen 443 ssl', tls ? `listen 127.0.0.1:${port} ssl` : `listen 127.0.0.1:${port}`)
    .replaceAll('/etc/nginx/tls/registry.pem', join(ROOT, 'test/local/tls/cert.pem'))
    .replaceAll('/etc/nginx/tls/registry.key', join(ROOT, 'test/local/tls/key.pem'))
    .replace('http://127.0.0.1:5000', upstream);
  for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) mkdirSync(join(folder, name));
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name === 'client_body' ? 'body' : name};`,
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log ${folder}/errors; events {} http { access_log off; ${paths.join(' ')}\n${site} }`,
  );
  const child = spawn('nginx', ['-p', folder, '-e', `${folder}/errors`, '-c', `${folder}/nginx.conf`], {
    stdio: 'ignore',
  });
  onTestFinished(() => void child.kill('SIGTERM'));
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const curl = () => spawnSync('curl', ['-sk', '-o', '/dev/null', `${url}/healthz`]).status;
  await expect.poll(curl, { timeout: 10_000 }).toBe(0);
  return url;
}

describe.skipIf(!found('nginx') && !isRequired)(
  'behind nginx with the documented file, where there is nginx',
  () => {
    it.each([1, 2])(
      '%i in a row: large layers go through, the realm is right, and the client has its address',
      async (proxies) => {
        const registry = await RegistryProcess.start(await scratch(), {
          STOWAGE_BEHIND_PROXY: `${proxies}`,
          STOWAGE_PUBLIC_URL: 'https://registry.example.com',
        });
        onTestFinished(() => registry.stop('SIGKILL'));
        const inner = `http://127.0.0.1:${registry.port}`;
        const url = await startNginx(proxies === 2 ? await startNginx(inner, false) : inner, true);
        const curl = (...words: string[]) =>
          spawnSync('curl', ['-sk', '-H', 'Host: registry.example.com', ...words], { encoding: 'utf8' })
            .stdout;
        expect(curl('-i', `${url}/v2/`)).toMatch(/realm="https:\/\/registry\.example\.com\/token"/i);
        const password = /^ {4}(\S{20,})$/m.exec(registry.banner)?.[1] ?? '';
        const scope = 'repository:team/app:pull,push';
        const { token } = JSON.parse(curl('-u', `admin:${password}`, `${url}/token?scope=${scope}`));
        const layer = Buffer.alloc(5 * 1024 * 1024, 'x');
        const file = join(await scratch(), 'layer');
        writeFileSync(file, layer);
        const pushed = curl(
          '-o',
          '/dev/null',
          '-w',
          '%{http_code}',
          '--data-binary',
          `@${file}`,
          '-H',
          `Authorization: Bearer ${token}`,
          '-H',
          'Content-Type: application/octet-stream',
          '-H',
          'X-Forwarded-For: 192.0.2.66',
          `${url}/v2/team/app/blobs/uploads/?digest=${digestOf('sha256', layer)}`,
        );
        expect(pushed).toBe('201');
        const line = () =>
          registry.log.map((text) => JSON.parse(text)).find(({ operation }) => operation === 'upload.start');
        await expect.poll(line).toMatchObject({ address: '127.0.0.1', status: 201 });
      },
    );
  },
);
