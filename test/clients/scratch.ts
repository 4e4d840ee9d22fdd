import { execFileSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';

/** Removes a directory, and first what a daemon that was killed may have left mounted in it. */
export async function removeTree(directory: string): Promise<void> {
  const mounts = await readFile('/proc/mounts', 'utf8').catch(() => '');
  const points = mounts.split('\n').map((line) => line.split(' ')[1] ?? '');
  const inside = points.filter((point) => point.startsWith(`${directory}/`));
  for (const point of inside.reverse()) execFileSync('umount', [point], { stdio: 'ignore' });
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}
