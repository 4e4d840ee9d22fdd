import { execFileSync } from 'node:child_process';
import { link, mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bytesOf } from '../../cli/push/files.ts';
import { TarFile } from '../../cli/push/tar-file.ts';
import { scratch } from '../scratch.ts';

const LONG = `${'deep/'.repeat(40)}name-that-no-header-holds`;

async function folder(): Promise<string> {
  const path = await scratch();
  await mkdir(join(path, LONG, '..'), { recursive: true });
  await writeFile(join(path, LONG), 'long');
  await writeFile(join(path, 'ünïcode'), 'u');
  await writeFile(join(path, 'empty'), '');
  await writeFile(join(path, 'block'), 'x'.repeat(512));
  await symlink(`./${LONG}`, join(path, 'to-long'));
  await mkdir(join(path, 'sub'));
  await symlink('../block', join(path, 'sub/to-block'));
  await symlink('to-block', join(path, 'sub/to-link'));
  await symlink('loop', join(path, 'loop'));
  await symlink('../../etc/passwd', join(path, 'sub/out'));
  await link(join(path, 'block'), join(path, 'twin'));
  return path;
}

async function pack(path: string, format: string): Promise<string> {
  const file = join(await scratch(), 'a.tar');
  execFileSync('tar', ['-C', path, `--format=${format}`, '-cf', file, '.']);
  return file;
}

const textIn = async (tar: TarFile, path: string) => {
  const content = await tar.find(path);
  return content && (await bytesOf(content)).toString();
};

it.each(['gnu', 'pax'])(
  'finds what tar has packed, whatever its name and kind, in format %s',
  async (format) => {
    const tar = await TarFile.open(await pack(await folder(), format));
    const block = 'x'.repeat(512);
    expect(await textIn(tar, LONG)).toBe('long');
    expect(await textIn(tar, 'ünïcode')).toBe('u');
    expect(await textIn(tar, 'empty')).toBe('');
    expect(await textIn(tar, 'block')).toBe(block);
    expect(await textIn(tar, 'twin')).toBe(block);
    expect(await textIn(tar, 'to-long')).toBe('long');
    expect(await textIn(tar, 'sub/to-link')).toBe(block);
  },
);

it('has no file where a link leads nowhere, out, or to itself', async () => {
  const tar = await TarFile.open(await pack(await folder(), 'gnu'));
  for (const path of ['loop', 'sub/out', 'sub', 'missing', '../block']) {
    expect(await textIn(tar, path)).toBeUndefined();
  }
});

it('finds a file behind one that is larger than eight digits of octal can say', async () => {
  const path = await scratch();
  await writeFile(join(path, 'a-large'), '');
  await truncate(join(path, 'a-large'), 9 * 1024 ** 3);
  await writeFile(join(path, 'b-small'), 'small');
  const file = join(await scratch(), 'a.tar');
  // The large file has no bytes on the disk, and none in a pipe either: tar is told to seek over them.
  const header = execFileSync('sh', [
    '-c',
    'tar -C "$1" --format=gnu -cf - a-large | head -c 512',
    'sh',
    path,
  ]);
  await writeFile(file, header);
  await truncate(file, 512 + 9 * 1024 ** 3);
  execFileSync('sh', ['-c', 'tar -C "$1" -cf - b-small >> "$2"', 'sh', path, file]);
  const tar = await TarFile.open(file);
  expect((await tar.find('a-large'))?.size).toBe(9 * 1024 ** 3);
  expect(await textIn(tar, 'b-small')).toBe('small');
});

it('refuses what is no tar archive, is damaged, or ends early', async () => {
  const whole = await pack(await folder(), 'gnu');
  await truncate(whole, 512 * 3 + 100);
  await expect(TarFile.open(whole)).rejects.toThrow('ends before it should');
  const other = join(await scratch(), 'a.txt');
  await writeFile(other, 'not a tar archive\n'.repeat(100));
  await expect(TarFile.open(other)).rejects.toThrow('no tar archive');
});
