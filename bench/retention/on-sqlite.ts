import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fillFile } from './fill.ts';
import type { Day } from './hours.ts';
import { estatesOf, type RetentionScale } from './life.ts';

/** Of V8, which collects no garbage before it has to: what is resident is then what a run holds, and not what it may. */
const HEAP = ['--max-old-space-size=96', '--max-semi-space-size=4'];

/** The hourly jobs of some days on a SQLite file, in a process of its own. */
export async function liveOnSqlite(directory: string, scale: RetentionScale): Promise<readonly Day[]> {
  const path = join(directory, 'registry.sqlite');
  const now = Date.now();
  fillFile(path, estatesOf(scale), now);
  const child = fork(join(import.meta.dirname, 'process.ts'), [path, JSON.stringify(scale), `${now}`], {
    execArgv: HEAP,
  });
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the hourly jobs ended with ${code}`);
  });
  const [days] = await Promise.race([once(child, 'message'), exited]);
  exited.catch(() => undefined);
  return days as readonly Day[];
}
