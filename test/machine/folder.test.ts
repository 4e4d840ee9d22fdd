import { randomBytes, randomUUID } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { openEmbedded } from '../../local/embedded.ts';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { pullBlob, pushBlob, pushImage } from './client.ts';
import { canMount } from './loop-disk.ts';
import { fillUp, makeReadOnly, mount, useUpFiles } from './mounts.ts';
import { removePartition } from './partition.ts';

const PAGE = 4096;

async function start(data: string, more: Record<string, string> = {}): Promise<RegistryProcess> {
  const registry = await RegistryProcess.start(data, { STOWAGE_OPEN: '1', ...more });
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

/** What a registry says that does not start. */
const refusalOf = (data: string, more: Record<string, string> = {}) =>
  start(data, more).then(
    () => 'it has started',
    (error: Error) => error.message,
  );

/** A stopped registry with a blob in it. */
async function makeRegistry() {
  const data = join(await scratch(), 'data');
  const registry = await start(data);
  const bytes = randomBytes(1000);
  const { digest } = await pushBlob(registry.url, 'a', bytes);
  await registry.stop('SIGTERM');
  return { data, digest, bytes };
}

it('refuses blobs without their database, and takes it back', async () => {
  const { data, digest, bytes } = await makeRegistry();
  renameSync(join(data, 'registry.sqlite'), join(data, 'elsewhere'));
  const refusal = await refusalOf(data);
  expect(refusal).toContain(
    `${data} has blobs, and its registry.sqlite is missing: restore that from a backup`,
  );
  renameSync(join(data, 'elsewhere'), join(data, 'registry.sqlite'));
  expect(await pullBlob((await start(data)).url, 'a', digest)).toEqual(bytes);
});

it.each([0, 1, 511])(
  'refuses a database of %i bytes beside blobs or a log, and changes neither',
  async (size) => {
    const { log, data } = await makeLog();
    const before = readFileSync(log);
    truncateSync(join(data, 'registry.sqlite'), size);
    expect(await refusalOf(data)).toContain(
      `${data} has blobs and a log (${log}), and its registry.sqlite is empty`,
    );
    expect(await refusalOf(data, { STOWAGE_ADOPT: '1' })).toContain('its registry.sqlite is empty');
    expect(readFileSync(log)).toEqual(before);
    rmSync(join(data, 'blobs'), { recursive: true });
    expect(await refusalOf(data)).toContain(`${data} has a log (${log}), and its registry.sqlite is empty`);
    expect(readFileSync(log)).toEqual(before);
  },
);

it('takes an empty database where there is nothing else, as a first start leaves it that is cut short', async () => {
  const data = join(await scratch(), 'data');
  mkdirSync(join(data, 'blobs'), { recursive: true });
  writeFileSync(join(data, 'registry.sqlite'), '');
  writeFileSync(join(data, 'blobs', 'registry-id'), `${randomUUID()}\n`);
  const registry = await start(data);
  expect((await pushImage(registry.url, 'a', 'tag')).status).toBe(201);
});

it.each(['with', 'without'])(
  'refuses a new database over blobs %s a mark, unless it is told to adopt them',
  async (how) => {
    const { data } = await makeRegistry();
    rmSync(join(data, 'registry.sqlite'));
    new SqliteTable(join(data, 'registry.sqlite')).close();
    if (how === 'without') rmSync(join(data, 'blobs', 'registry-id'));
    expect(await refusalOf(data)).toContain(
      `${join(data, 'registry.sqlite')} knows nothing of what lies in ${join(data, 'blobs')}`,
    );
    const adopting = await start(data, { STOWAGE_ADOPT: '1' });
    await adopting.stop('SIGTERM');
    await start(data);
  },
);

it('takes a registry that was being given its mark when it was stopped', async () => {
  const { data, digest, bytes } = await makeRegistry();
  removePartition(data, 'REGISTRY');
  expect(await pullBlob((await start(data)).url, 'a', digest)).toEqual(bytes);
});

it('refuses a link to a database that is not there, as where its disk is not mounted', async () => {
  const place = await scratch();
  mkdirSync(join(place, 'data'));
  symlinkSync(join(place, 'registry.sqlite'), join(place, 'data', 'registry.sqlite'));
  expect(await refusalOf(join(place, 'data'))).toContain(
    'has a link to a database, and its registry.sqlite is missing',
  );
});

it.each(['missing', 'empty'])(
  'refuses a database whose blobs are %s, as where their disk is not mounted',
  async (how) => {
    const { data, digest, bytes } = await makeRegistry();
    renameSync(join(data, 'blobs'), join(data, 'elsewhere'));
    if (how === 'empty') mkdirSync(join(data, 'blobs'));
    expect(await refusalOf(data)).toContain(
      `${join(data, 'blobs')} is not the folder that this registry keeps its blobs in`,
    );
    rmSync(join(data, 'blobs'), { recursive: true, force: true });
    renameSync(join(data, 'elsewhere'), join(data, 'blobs'));
    expect(await pullBlob((await start(data)).url, 'a', digest)).toEqual(bytes);
  },
);

it('refuses the blobs of another registry, unless it is told to adopt them', async () => {
  const [ours, others] = [await makeRegistry(), await makeRegistry()];
  rmSync(join(ours.data, 'blobs'), { recursive: true });
  cpSync(join(others.data, 'blobs'), join(ours.data, 'blobs'), { recursive: true });
  expect(await refusalOf(ours.data)).toContain('is of another registry');
  const adopting = await start(ours.data, { STOWAGE_ADOPT: '1' });
  await adopting.stop('SIGTERM');
  await start(ours.data);
});

it('takes a registry that was made before there were marks, and refuses it without its blobs', async () => {
  const { data, digest, bytes } = await makeRegistry();
  rmSync(join(data, 'blobs', 'registry-id'));
  removePartition(data, 'REGISTRY');
  renameSync(join(data, 'blobs'), join(data, 'elsewhere'));
  expect(await refusalOf(data)).toContain('is not the folder that this registry keeps its blobs in');
  rmSync(join(data, 'blobs'), { recursive: true, force: true });
  renameSync(join(data, 'elsewhere'), join(data, 'blobs'));
  const registry = await start(data);
  expect(await pullBlob(registry.url, 'a', digest)).toEqual(bytes);
  expect(readFileSync(join(data, 'blobs', 'registry-id'), 'utf8')).toMatch(/^[0-9a-f-]{36}\n$/);
});

it('refuses a damaged database, and says what to do', async () => {
  const { data } = await makeRegistry();
  const path = join(data, 'registry.sqlite');
  const whole = readFileSync(path);
  for (const page of [0, 1, 2]) {
    const damaged = Buffer.from(whole);
    randomBytes(PAGE / 2).copy(damaged, page * PAGE);
    writeFileSync(path, damaged);
    expect(await refusalOf(data)).toMatch(/registry\.sqlite is damaged \(.*restore the folder from a backup/);
  }
});

it('refuses a log in which acknowledged writes cannot be read, unless it is told to go on without them', async () => {
  const { log, data, tags } = await makeLog();
  flipBit(log, Math.floor(statSync(log).size / 2));
  expect(await refusalOf(data)).toContain(`${log} is damaged, and what was written last would be lost`);
  const adopting = await start(data, { STOWAGE_ADOPT: '1' });
  const first = await fetch(`${adopting.url}/v2/a/manifests/${tags[0]}`);
  expect(first.status).toBe(200);
});

it.each(['a few KiB', 'more than is read at each start'])(
  'refuses a backup of %s that was put beside the log of a later state, and changes neither',
  async (size) => {
    const { data, digest, bytes } = await makeRegistry();
    const [path, backup] = [join(data, 'registry.sqlite'), join(data, 'backup')];
    if (size !== 'a few KiB') addMebibytes(path, 257);
    copyFileSync(path, backup);
    await fillTable(path, 50);
    const log = await fillTable(path, 5);
    copyFileSync(backup, path);
    writeFileSync(`${path}-wal`, log);
    expect(await refusalOf(data)).toContain(`remove ${path}* and put it there again`);
    expect(readFileSync(path).equals(readFileSync(backup))).toBe(true);
    expect(readFileSync(`${path}-wal`)).toEqual(log);
    for (const name of [path, `${path}-wal`]) rmSync(name);
    copyFileSync(backup, path);
    expect(await pullBlob((await start(data)).url, 'a', digest)).toEqual(bytes);
  },
);

it('finds the log of a database that is linked to another folder, and has its reserve there', async () => {
  const { log, data, tags } = await makeLog();
  const elsewhere = await scratch();
  for (const name of ['registry.sqlite', 'registry.sqlite-wal'])
    renameSync(join(data, name), join(elsewhere, name));
  rmSync(join(data, 'reserve'), { force: true });
  symlinkSync(join(elsewhere, 'registry.sqlite'), join(data, 'registry.sqlite'));
  const moved = join(elsewhere, basename(log));
  const whole = readFileSync(moved);
  flipBit(moved, Math.floor(whole.length / 2));
  expect(await refusalOf(data)).toContain(`${moved} is damaged, and what was written last would be lost`);
  writeFileSync(moved, whole);
  const registry = await start(data);
  for (const tag of tags) expect((await fetch(`${registry.url}/v2/a/manifests/${tag}`)).status).toBe(200);
  await expect.poll(() => existsSync(join(elsewhere, 'reserve'))).toBe(true);
  expect(existsSync(join(data, 'reserve'))).toBe(false);
});

it('starts on a log whose end a loss of power has cut', async () => {
  const { log, data, tags } = await makeLog();
  // A transaction that was not on the disk: a frame that was, of this log, and one that was not.
  const bytes = readFileSync(log);
  const frame = bytes.subarray(bytes.length - PAGE - 24);
  const torn = Buffer.concat([frame, randomBytes(PAGE + 24)]);
  torn.fill(0, 4, 8);
  writeFileSync(log, Buffer.concat([bytes, torn]));
  const registry = await start(data);
  for (const tag of tags) expect((await fetch(`${registry.url}/v2/a/manifests/${tag}`)).status).toBe(200);
});

it('names the folder that cannot be made or opened', async () => {
  const place = await scratch();
  writeFileSync(join(place, 'file'), '');
  expect(await refusalOf(join(place, 'file', 'data'))).toContain(
    `${join(place, 'file', 'data')} cannot be used: ENOTDIR`,
  );
  mkdirSync(join(place, 'data', 'registry.sqlite'), { recursive: true });
  expect(await refusalOf(join(place, 'data'))).toContain(
    `${join(place, 'data')} cannot be used: unable to open database`,
  );
});

it.runIf(canMount)(
  'names the folder on a disk that may only be read (needs root on Linux, to mount it)',
  async () => {
    const place = await mount('tmpfs', 64);
    mkdirSync(join(place, 'data'));
    await makeReadOnly(place);
    expect(await refusalOf(join(place, 'data'))).toContain(`${join(place, 'data')} cannot be used: EROFS`);
  },
);

it.runIf(canMount)('says so where the disk is full (needs root on Linux, to mount it)', async () => {
  const place = await mount('tmpfs', 64);
  const giveBack = fillUp(place);
  expect(await refusalOf(join(place, 'data'))).toContain(
    'Its disk has no room for another file: make some (df -h',
  );
  giveBack();
  await start(join(place, 'data'));
});

it.runIf(canMount)(
  'says so where the disk has no files left (needs root on Linux, to mount it)',
  async () => {
    const place = await mount('ext4', 32);
    const data = join(place, 'data');
    const { close } = await openEmbedded({ data });
    await close();
    rmSync(join(data, 'reserve'), { force: true });
    useUpFiles(place);
    expect(await refusalOf(data)).toContain('and df -i for the number of files');
  },
);

/** A registry that was killed, its last writes in the log alone. */
async function makeLog() {
  const data = join(await scratch(), 'data');
  const registry = await start(data);
  const tags = Array.from({ length: 10 }, (_, n) => `tag${n}`);
  for (const tag of tags) expect((await pushImage(registry.url, 'a', tag)).status).toBe(201);
  await registry.stop('SIGKILL');
  return { data, log: join(data, 'registry.sqlite-wal'), tags };
}

/** Of a registry that is stopped: writes items of its own, and answers the log of that. */
async function fillTable(path: string, items: number): Promise<Buffer> {
  const table = new SqliteTable(path);
  for (let n = 0; n < items; n += 1) {
    const key = { partition: `p${items}`, sort: `${n}` };
    await table.write([{ put: key, attributes: { text: `${n}`.repeat(1000), expiresAt: n } }]);
  }
  const log = readFileSync(`${path}-wal`);
  table.close();
  return log;
}

function addMebibytes(path: string, mebibytes: number): void {
  const database = new DatabaseSync(path);
  database.exec(`CREATE TABLE ballast AS SELECT zeroblob(${mebibytes * 1024 * 1024})`);
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
}

function flipBit(path: string, position: number): void {
  const byte = readFileSync(path)[position] ?? 0;
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.of(byte ^ 1), 0, 1, position);
  closeSync(file);
}
