import { execFile } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { scratch } from '../scratch.ts';
import { LoopDisk } from './loop-disk.ts';

const run = promisify(execFile);
const MEBIBYTE = 1024 * 1024;

/** File systems of a test's own. */
export const FILE_SYSTEMS = ['tmpfs', 'ext4'] as const;

type FileSystem = (typeof FILE_SYSTEMS)[number];

/** A small disk, which goes with the test; answers where it is. */
export async function mount(system: FileSystem, mebibytes: number): Promise<string> {
  if (system === 'ext4') {
    const disk = await LoopDisk.make(mebibytes);
    onTestFinished(() => disk.remove());
    return disk.path;
  }
  const place = await scratch();
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}M`, 'tmpfs', place]);
  onTestFinished(async () => void (await run('umount', ['--lazy', place])));
  return place;
}

/** Mounts an empty disk over a folder; answers what takes it away again. */
export async function mountOver(folder: string): Promise<() => Promise<unknown>> {
  await run('mount', ['-t', 'tmpfs', '-o', 'size=64M', 'tmpfs', folder]);
  const unmount = () => run('umount', ['--lazy', folder]);
  onTestFinished(() => unmount().then(undefined, () => undefined)); // unless it is unmounted already
  return unmount;
}

/** Shows a folder at another place too, which goes with the test; no file is moved from one into the other. */
export async function bind(folder: string, place: string): Promise<void> {
  await run('mount', ['--bind', folder, place]);
  onTestFinished(async () => void (await run('umount', ['--lazy', place])));
}

/** Lets nothing on the disk be changed any more. */
export async function makeReadOnly(place: string): Promise<void> {
  await run('mount', ['-o', 'remount,ro', place]);
}

/** Takes all the room that a disk has left; answers what gives it back. */
export function fillUp(place: string): () => void {
  const path = join(place, `ballast-${Math.random()}`);
  const file = openSync(path, 'w');
  // The last block of a file that is written in large pieces may stay free.
  for (const size of [MEBIBYTE, 4096, 1]) {
    const zeros = Buffer.alloc(size);
    while (tryWrite(file, zeros));
  }
  closeSync(file);
  return () => rmSync(path);
}

/** Makes files until the disk takes no more of them. */
export function useUpFiles(place: string): void {
  const folder = join(place, 'files');
  mkdirSync(folder);
  for (let n = 0; ; n += 1) {
    try {
      closeSync(openSync(join(folder, `${n}`), 'w'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return;
      throw error;
    }
  }
}

/** Bytes that are left. */
export function freeBytes(place: string): number {
  const { bfree, bsize } = statfsSync(place);
  return bfree * bsize;
}

function tryWrite(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
