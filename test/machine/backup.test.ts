import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { TABLE_COPY } from '../../local/table-copy.ts';
import { Stowage } from '../cli/program.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { pullBlob, pushImage } from './client.ts';

const CLI = join(import.meta.dirname, '../../cli/main.ts');

async function start(data: string): Promise<RegistryProcess> {
  const registry = await RegistryProcess.start(data);
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

type Image = Awaited<ReturnType<typeof pushImage>> & { readonly tag: string };

/** Pushes images until it is stopped; those that were acknowledged. */
function pushing(url: string, clients = 4) {
  const images: Image[] = [];
  let isStopped = false;
  const running = Array.from({ length: clients }, async (_, client) => {
    for (let n = 0; !isStopped; n += 1) {
      const tag = `v${client}-${n}`;
      images.push({ ...(await pushImage(url, 'team/app', tag)), tag });
    }
  });
  const stop = () => {
    isStopped = true;
    return Promise.all(running);
  };
  return { images, stop };
}

const pushed = (images: readonly Image[], count: number) =>
  expect.poll(() => images.length, { timeout: 60_000 }).toBeGreaterThan(count);

/** Those whose manifest or config cannot be pulled. */
async function lackingAt(url: string, images: readonly Image[]): Promise<Image[]> {
  const whole = async ({ tag, config }: Image) =>
    (await fetch(`${url}/v2/team/app/manifests/${tag}`)).ok &&
    (await pullBlob(url, 'team/app', config)) instanceof Buffer;
  const found = await Promise.all(images.map(whole));
  return images.filter((_, index) => !found[index]);
}

it('backs up a registry that is being pushed to, whole, and brings the backup up to date', async () => {
  const [data, to] = [await scratch(), join(await scratch(), 'backup')];
  const registry = await start(data);
  const stowage = new Stowage(await scratch());
  const load = pushing(registry.url);
  const backUp = async () => {
    const before = [...load.images];
    const { code, stderr } = await stowage.run(`backup ${to} --data ${data}`);
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^the backup has \d+ objects, \d+ bytes; \d+ added, 0 removed\n$/),
    ]);
    return before;
  };
  await pushed(load.images, 40);
  await backUp();
  await pushed(load.images, load.images.length + 20);
  const before = await backUp();
  await load.stop();
  const restored = await start(to);
  expect(await lackingAt(restored.url, before)).toEqual([]);
  await restored.stop('SIGTERM');
  await registry.stop('SIGTERM');
  expect((await stowage.run(`backup ${to} --data ${data}`)).stderr).toMatch(/\d+ added/);
  expect(readdirSync(data).filter((name) => name.startsWith('copy-'))).toEqual([]);
  const again = await start(to);
  expect(await lackingAt(again.url, load.images)).toEqual([]);
});

it('opens a copy of its folder that was made file by file, while it ran, as of a moment before', async () => {
  const [data, copy] = [await scratch(), await scratch()];
  const registry = await start(data);
  const early = await pushImage(registry.url, 'team/app', 'early');
  // It asks for a copy of the table, which is else made every five minutes.
  await new Stowage(await scratch()).print(`backup ${join(await scratch(), 'other')} --data ${data}`);
  const load = pushing(registry.url);
  await pushed(load.images, 20);
  cpSync(join(data, 'blobs'), join(copy, 'blobs'), { recursive: true });
  await pushed(load.images, load.images.length + 40);
  copyFileSync(join(data, 'registry.sqlite'), join(copy, 'registry.sqlite'));
  await pushed(load.images, load.images.length + 40);
  copyFileSync(join(data, 'registry.sqlite-wal'), join(copy, 'registry.sqlite-wal'));
  await load.stop();
  const { code, stderr } = await new Stowage(await scratch()).run(`scan --data ${copy}`);
  expect([code, stderr]).toEqual([0, expect.stringContaining(' 0 missing, 0 damaged')]);
  expect(stderr).toContain('was copied while its registry ran, and its database ');
  expect(existsSync(join(copy, 'registry.sqlite.copied'))).toBe(true);
  const restored = await start(copy);
  expect(await lackingAt(restored.url, [{ ...early, tag: 'early' }])).toEqual([]);
});

it('never goes back to the copy of the table where the registry has run', async () => {
  const data = await scratch();
  const registry = await start(data);
  await expect.poll(() => existsSync(join(data, TABLE_COPY))).toBe(true);
  await pushImage(registry.url, 'team/app', 'late');
  await registry.stop('SIGTERM');
  const [object = ''] = readdirSync(join(data, 'blobs')).filter((name) => /^[0-9a-f]{8}-/.test(name));
  spawnSync('rm', [join(data, 'blobs', object)]);
  const { code, stderr } = await new Stowage(await scratch()).run(`scan --data ${data}`);
  expect([code, stderr]).toEqual([1, expect.stringContaining(' 1 missing, 0 damaged')]);
});

it('backs up into no folder that has something else', async () => {
  const [data, to] = [await scratch(), await scratch()];
  await (await start(data)).stop('SIGTERM');
  const stowage = new Stowage(await scratch());
  mkdirSync(join(to, 'photos'));
  writeFileSync(join(to, 'photos', 'a'), '');
  expect(await stowage.run(`backup ${to} --data ${data}`)).toMatchObject({
    code: 1,
    stderr: `stowage: ${to} has something else than a backup of this registry\n`,
  });
  expect((await stowage.run(`backup ${data}/inside --data ${data}`)).stderr).toContain(
    'name a folder of its own',
  );
});

/** The commands of docs/backup.md for one machine, block by block. */
function documented(section: string): string[] {
  const page = readFileSync(join(import.meta.dirname, '../../docs/backup.md'), 'utf8');
  const text = page.slice(page.indexOf(`\n### ${section}\n`)).split('\n### ')[1] ?? '';
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block);
}

it('brings back what docs/backup.md says, by the commands that stand there', async () => {
  const folder = await scratch();
  const run = (block: string) => {
    const script = `set -e\nstowage() { '${process.execPath}' '${CLI}' "$@"; }\n${block}`;
    const { status, stderr } = spawnSync('sh', ['-c', script.replaceAll('/mnt/backup', `${folder}/mnt`)], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect([block, status, stderr]).toEqual([block, 0, expect.not.stringMatching(/[1-9]\d* missing/)]);
  };
  const registry = await start(join(folder, 'data'));
  mkdirSync(join(folder, 'mnt'));
  const image = { ...(await pushImage(registry.url, 'team/app', 'v1')), tag: 'v1' };
  for (const block of documented('Make a backup')) run(block);
  await fetch(`${registry.url}/v2/team/app/manifests/${image.digest}`, { method: 'DELETE' });
  await registry.stop('SIGTERM');
  const [restore = '', serving = '', alone = ''] = documented('Restore it');
  expect(serving).toBe('stowage serve --data data\n');
  run(restore);
  const restored = await start(join(folder, 'data'));
  expect(await lackingAt(restored.url, [image])).toEqual([]);
  await restored.stop('SIGTERM');
  run(alone);
  const again = await start(join(folder, 'data'));
  expect(await lackingAt(again.url, [image])).toEqual([]);
});
