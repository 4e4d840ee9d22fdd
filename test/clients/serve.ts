import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { inheritedEnvironment } from './command.ts';
import { startDaemon } from './daemons.ts';
import { Registry } from './registry.ts';

const PROJECT = join(import.meta.dirname, '../..');

/** The registry at STOWAGE_URL; without one, a new one of this checkout with its data in `directory`. */
export async function openRegistry(directory: string): Promise<Registry> {
  const given = process.env['STOWAGE_URL'];
  if (given !== undefined && given !== '') {
    const registry = new Registry(given);
    await registry.ping();
    return registry;
  }
  const port = await freePort();
  const registry = new Registry(`http://127.0.0.1:${port}`);
  const data = join(directory, 'registry');
  await mkdir(data);
  await startDaemon({
    program: process.execPath,
    args: ['local/main.ts'],
    env: { ...inheritedEnvironment(), STOWAGE_PORT: String(port), STOWAGE_DATA: data },
    cwd: PROJECT,
    log: join(directory, 'registry.log'),
    answers: () => registry.ping(),
  });
  return registry;
}
