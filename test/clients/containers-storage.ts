import { mkdir } from 'node:fs/promises';
import type { Desk } from './client.ts';

/**
 * podman, skopeo and buildah remember, for root in one place, which registry has which blob, and then mount
 * it instead of sending it: the second of them would send nothing. Each gets a memory of its own.
 */
const SHARED_CACHE = '/var/lib/containers/cache';

/** Runs a program in a mount namespace where the shared cache is the desk's own. */
export async function runIsolated(
  desk: Desk,
  program: string,
  args: readonly string[],
  input = '',
): Promise<string> {
  if (process.getuid?.() !== 0) return await desk.run(program, args, { input });
  await mkdir(SHARED_CACHE, { recursive: true, mode: 0o700 });
  const mountThenRun = `mount --bind "$0" ${SHARED_CACHE} && exec "$@"`;
  const command = ['sh', '-c', mountThenRun, desk.file('cache'), program, ...args];
  return await desk.run('unshare', ['--mount', '--propagation', 'private', ...command], { input });
}

/** The options of podman and buildah that keep their images in the desk's directory; vfs works anywhere. */
export function storageOptions(desk: Desk): string[] {
  return ['--root', desk.file('root'), '--runroot', desk.file('run'), '--storage-driver', 'vfs'];
}
