import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, readdir, truncate, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratch } from '../scratch.ts';
import { config, image, OCI_LAYER } from '../wire/content.ts';
import { archive, imageOf, type Made, writeDockerSave, writeLayout } from './images.ts';
import { isUpload, type Meddling, startProxy } from './meddling-proxy.ts';
import { type Host, Stowage, startHost } from './program.ts';

const MIB = 1024 * 1024;
const MAIN = join(import.meta.dirname, '../../cli/main.ts');

let host: Host;

beforeAll(async () => {
  host = await startHost();
});
afterAll(() => host.stop());

/** The command line of the admin, who reaches the registry only by way of `url`. */
async function at(url: string, extra: Readonly<Record<string, string>> = {}): Promise<Stowage> {
  return new Stowage(await scratch(), { ...(await loginAt(url)), ...extra });
}

const loginAt = async (url: string) => ({
  STOWAGE_REGISTRY: url,
  STOWAGE_USERNAME: 'admin',
  STOWAGE_TOKEN: host.password,
  DOCKER_CONFIG: await scratch(),
});

const random = (...sizes: readonly number[]) => imageOf(sizes.map((size) => randomBytes(size)));

async function tagged(repository: string): Promise<boolean> {
  const { code } = await host.admin.run(`tag show ${repository}:1`);
  return code === 0;
}

const cut: Meddling = { is: 'cut', afterBytes: MIB };

describe('on a bad line', () => {
  it('sends a blob again whose connection was cut, and says so', async () => {
    const proxy = await startProxy(host.registry.url, (seen, nth) =>
      isUpload(seen) && Number(seen.length) > MIB && nth < 3 ? cut : undefined,
    );
    const made = random(4 * MIB);
    const layout = await writeLayout({ made });
    const pushed = await (await at(proxy.url)).run(['push', layout, 'n/cut:1', '--jobs', '1']);
    expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining('trying again in 1 s') });
    expect(pushed.stdout).toContain(made.manifest.digest);
    // What a terminal shows is not for a file.
    expect(pushed.stderr).not.toContain('\u001b');
  });

  it('sends only what is missing when it is run again after it gave up', async () => {
    const made = random(2 * MIB, 3 * MIB, 4 * MIB);
    const layout = await writeLayout({ made });
    const large = made.blobs.at(-1)?.size;
    let isBroken = true;
    const proxy = await startProxy(host.registry.url, (seen) =>
      isBroken && isUpload(seen) && Number(seen.length) === large
        ? {
            is: 'answer',
            status: 507,
            body: '{"errors":[{"code":"UNKNOWN","message":"the disk is full"}]}',
            headers: { 'Retry-After': '1000' },
          }
        : undefined,
    );
    const stowage = await at(proxy.url);
    expect(await stowage.run(['push', layout, 'n/again:1', '--jobs', '1'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('stowage: the disk is full'),
    });
    expect(await tagged('n/again')).toBe(false);
    isBroken = false;
    const before = proxy.seen.length;
    expect((await stowage.run(['push', layout, 'n/again:1', '--jobs', '1'])).code).toBe(0);
    expect(
      proxy.seen
        .slice(before)
        .filter(isUpload)
        .map(({ length }) => Number(length)),
    ).toEqual([large]);
    expect(await tagged('n/again')).toBe(true);
  });

  it('stops at a refusal, in the words of the registry', async () => {
    const message = 'layers over 4 MiB need a client that sends them in one PUT';
    const proxy = await startProxy(host.registry.url, (seen) =>
      isUpload(seen)
        ? { is: 'answer', status: 413, body: JSON.stringify({ errors: [{ code: 'DENIED', message }] }) }
        : undefined,
    );
    const layout = await writeLayout({ made: random(8 * MIB) });
    const { code, stderr } = await (await at(proxy.url)).run(['push', layout, 'n/refused:1', '--quiet']);
    expect({ code, stderr }).toEqual({ code: 1, stderr: `stowage: ${message}\n` });
    expect(await tagged('n/refused')).toBe(false);
  });

  it('stops sending what is refused, and says what a blob over 5 GiB needs', async () => {
    const proxy = await startProxy(host.registry.url, (seen) =>
      isUpload(seen) && Number(seen.length) > MIB
        ? { is: 'answer', status: 413, body: '{"errors":[{"code":"DENIED","message":"too large"}]}' }
        : undefined,
    );
    const size = 5 * 1024 * MIB + 1;
    const digest = `sha256:${'5'.repeat(64)}`;
    const made = random(1000);
    const manifest = image({ layers: [{ mediaType: OCI_LAYER, digest, size }] });
    const layout = await writeLayout({ made: { ...made, manifest, blobs: [...made.blobs, config] } });
    // Nothing but its size is on the disk.
    const path = join(layout, 'blobs/sha256', digest.slice(7));
    await writeFile(path, '');
    await truncate(path, size);
    expect(await (await at(proxy.url)).run(['push', layout, 'n/huge:1'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/stowage: too large \(sha256:5+ has 5\.0 GiB, and .* 5 GiB at most\)\n$/),
    });
  });

  it('tags nothing when it is interrupted, and leaves no temporary files', async () => {
    const proxy = await startProxy(host.registry.url, (seen) =>
      isUpload(seen) ? { is: 'delay', ms: 20_000 } : undefined,
    );
    const tmp = await scratch();
    const { folder } = await writeDockerSave([randomBytes(3 * MIB), randomBytes(MIB)], []);
    const stowage = await at(proxy.url, { TMPDIR: tmp });
    const running = stowage.start(['push', await archive(folder), 'n/stopped:1']);
    await expect.poll(() => proxy.seen.filter(isUpload).length, { timeout: 20_000 }).toBeGreaterThan(1);
    running.signal('SIGINT');
    expect(await running.ended).toMatchObject({
      code: 130,
      stdout: '',
      stderr: expect.stringContaining('stowage: interrupted; what has been sent is kept'),
    });
    expect(await readdir(tmp)).toEqual([]);
    expect(await tagged('n/stopped')).toBe(false);
  });

  it('believes no registry that stored something else', async () => {
    const proxy = await startProxy(host.registry.url, ({ method, url }) =>
      method === 'PUT' && url.includes('/manifests/')
        ? { is: 'answer', status: 201, headers: { 'Docker-Content-Digest': `sha256:${'0'.repeat(64)}` } }
        : undefined,
    );
    const layout = await writeLayout({ made: random(1000) });
    expect(await (await at(proxy.url)).run(['push', layout, 'n/other:1'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/the registry stored sha256:0+, where sha256:/),
    });
  });
});

// A terminal is made by util-linux's script.
it.runIf(process.platform === 'linux' && spawnSync('script', ['--version']).status === 0)(
  'shows on a terminal how far each blob has come, and leaves the outcome there',
  async () => {
    const proxy = await startProxy(host.registry.url, (seen) =>
      isUpload(seen) ? { is: 'delay', ms: 500 } : undefined,
    );
    const made = random(3 * MIB);
    const command = [process.execPath, MAIN, 'push', await writeLayout({ made }), 'n/bars:1'].join(' ');
    const env = { ...process.env, ...(await loginAt(proxy.url)) };
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const shown = await text(child.stdout);
    const [digest = ''] = made.blobs.slice(-1).map((blob) => blob.digest.slice(0, 19));
    expect(shown).toMatch(new RegExp(`${digest}  sending {2,}\\[=* *\\]  \\d.* of 3\\.0 MiB`));
    const rest = shown.slice(shown.lastIndexOf('\u001b[J'));
    expect(rest).toContain('pushed');
    expect(rest).not.toContain('[=');
    expect(shown).toContain(`${digest}: sent, 3.0 MiB`);
  },
);

describe('blobs', () => {
  const sizes = Array.from({ length: 6 }, (_, index) => 10_000 + index);

  it.each([1, 3])('go out %i at a time, each in one PUT that says its length', async (jobs) => {
    const made = random(...sizes);
    const proxy = await startProxy(host.registry.url, (seen) =>
      isUpload(seen) ? { is: 'delay', ms: 150 } : undefined,
    );
    const layout = await writeLayout({ made });
    await (await at(proxy.url)).print(['push', layout, `n/jobs-${jobs}:1`, '--jobs', `${jobs}`]);
    expect(proxy.mostPuts).toBe(jobs);
    const lengths = proxy.seen.filter(isUpload).map(({ length }) => Number(length));
    const own = made.blobs.map(({ size }) => size);
    expect(lengths.sort()).toEqual(own.sort());
    expect(proxy.seen.filter(({ method }) => method === 'PATCH')).toEqual([]);
  });

  it('are not sent where the registry has them in another repository', async () => {
    const layout = await writeLayout({ made: random(10_000) });
    const stowage = await at(host.registry.url);
    await stowage.print(['push', layout, 'n/mount-a:1']);
    expect(JSON.parse(await stowage.print(['push', layout, 'n/mount-b:1', '--json']))).toMatchObject({
      repository: 'n/mount-b',
      tag: '1',
      blobs: { sent: 0, present: 0, mounted: 2 },
      bytesSent: 0,
    });
  });
});

describe('who pushes', () => {
  const layoutOf = (made: Made) => writeLayout({ made });

  it('is who has logged in with this program', async () => {
    const reference = `${new URL(host.registry.url).host}/w/saved:1`;
    await host.admin.print(['push', await layoutOf(random(1000)), reference]);
    expect(await tagged('w/saved')).toBe(true);
  });

  it('is who has logged in with docker, by its file or a helper of its', async () => {
    const { host: name } = new URL(host.registry.url);
    const auth = Buffer.from(`admin:${host.password}`).toString('base64');
    const bin = await scratch();
    const secret = JSON.stringify({ ServerURL: name, Username: 'admin', Secret: host.password });
    const helper = join(bin, 'docker-credential-test');
    await writeFile(helper, `#!/bin/sh\ntest "$(cat)" = "${name}" && echo '${secret}'\n`);
    await chmod(helper, 0o755);
    const configs = [
      { auths: { [name]: { auth } } },
      { credHelpers: { [name]: 'test' } },
      { credsStore: 'test' },
    ];
    for (const [index, login] of configs.entries()) {
      const DOCKER_CONFIG = await scratch();
      await writeFile(join(DOCKER_CONFIG, 'config.json'), JSON.stringify(login));
      const PATH = `${bin}${delimiter}${process.env['PATH']}`;
      const stowage = new Stowage(await scratch(), { DOCKER_CONFIG, PATH });
      await stowage.print(['push', await layoutOf(random(1000)), `${name}/w/docker-${index}:1`]);
      expect(await tagged(`w/docker-${index}`)).toBe(true);
    }
  });

  it('has to be somebody, who may push there', async () => {
    const layout = await layoutOf(random(1000));
    const { host: name } = new URL(host.registry.url);
    const nobody = new Stowage(await scratch(), { DOCKER_CONFIG: await scratch() });
    expect(await nobody.run(['push', layout, `${name}/w/nobody:1`])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`log in: stowage login ${host.registry.url}`),
    });
    const wrong = await at(host.registry.url, { STOWAGE_TOKEN: 'wrong' });
    expect(await wrong.run(['push', layout, 'w/wrong:1'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('incorrect user name or password'),
    });
    const password = (await host.admin.print('user create pia --grant pia/*:push')).trim();
    const pia = await at(host.registry.url, { STOWAGE_USERNAME: 'pia', STOWAGE_TOKEN: password });
    await pia.print(['push', layout, 'pia/app:1']);
    expect(await pia.run(['push', layout, 'other/app:1'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('user:pia'),
    });
  });

  it('is never told to another registry than the one the environment names', async () => {
    const proxy = await startProxy(host.registry.url, () => undefined);
    const stowage = await at(host.registry.url);
    const layout = await layoutOf(random(1000));
    const { host: other } = new URL(proxy.url);
    expect((await stowage.run(['push', layout, `${other}/w/leak:1`])).code).toBe(1);
    expect(proxy.seen.filter(({ authorization }) => authorization?.startsWith('Basic'))).toEqual([]);
  });

  it('stays who they are when the token ends between two blobs', async () => {
    let isStale = false;
    const proxy = await startProxy(host.registry.url, ({ method, url }) => {
      if (method !== 'POST' || !url.includes('/uploads/') || isStale) return undefined;
      isStale = true;
      const challenge = `Bearer realm="${host.registry.url}/token",service="stowage",scope="repository:x:pull"`;
      return { is: 'answer', status: 401, headers: { 'WWW-Authenticate': challenge } };
    });
    await (await at(proxy.url)).print([
      'push',
      await layoutOf(random(1000, 1001)),
      'w/renewed:1',
      '--jobs',
      '1',
    ]);
    expect(await tagged('w/renewed')).toBe(true);
  });
});
