import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openExisting } from './embedded.ts';
import { FolderInUse } from './open-table.ts';
import { MADE, WANTED } from './table-copy.ts';

const LOOK_MS = 100;

/** A registry that runs looks each second. */
const HEARD_MS = 30_000;

/** Renews the copy of the table among the blobs of a folder: by the registry that runs there, or by itself where none does. */
export async function freshTableCopy(data: string, tell: (what: string) => void): Promise<void> {
  try {
    const { copyTable, close } = await openExisting(data, tell);
    await copyTable().finally(close);
  } catch (error) {
    if (!(error instanceof FolderInUse)) throw error;
    await ask(data);
  }
}

async function ask(data: string): Promise<void> {
  const id = randomUUID();
  const [wanted, made] = [join(data, WANTED + id), join(data, MADE + id)];
  await writeFile(wanted, '', { mode: 0o600 });
  try {
    for (const since = Date.now(); existsSync(wanted); await sleep(LOOK_MS)) {
      if (Date.now() - since > HEARD_MS)
        throw new Error(
          `whatever has ${data} open makes no copy of its table: is it a registry of an older version?`,
        );
    }
    while (!existsSync(made)) await sleep(LOOK_MS);
    const failure = await readFile(made, 'utf8');
    if (failure) throw new Error(`the registry could not copy its table: ${failure}`);
  } finally {
    await rm(wanted, { force: true });
    await rm(made, { force: true });
  }
}
