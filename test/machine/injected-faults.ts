import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';

const STRACE = '/usr/bin/strace';

/** Whether a test may make calls of another process fail: strace on Linux, by root. */
export const canInject = process.platform === 'linux' && process.getuid?.() === 0 && isThere(STRACE);

/** Makes the syncs of one file fail in a process, all of them or only the first; answers what ends that. */
export async function failSyncs(
  pid: number | undefined,
  path: string,
  which: 'all' | 'first',
): Promise<() => Promise<void>> {
  const calls = 'fsync,fdatasync';
  const fault = `inject=${calls}:error=EIO${which === 'first' ? ':when=1' : ''}`;
  const options = ['-f', '-p', `${pid}`, '-P', path, '-e', `trace=${calls}`, '-e', fault];
  const tracer = spawn(STRACE, options, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(tracer, 'exit');
  for await (const text of tracer.stderr.iterator({ destroyOnReturn: false })) {
    if (`${text}`.includes('attached')) break;
  }
  tracer.stderr.resume();
  return async () => {
    tracer.kill('SIGINT');
    await ended;
  };
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
