import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openExisting } from './embedded.ts';
import { FolderInUse } from './open-table.ts';
import { MADE, TABLE_COPY, WANTED } from './table-copy.ts';

const LOOK_MS = 100;

/** A registry that runs looks each second. */
const HEARD_MS = 30_000;

/** A copy that has not grown for so long is being made by nobody any more: the longest is to put a large one on a slow disk. */
const STUCK_MS = 10 * 60_000;

/** Renews the copy of the table among the blobs of a folder: by the registry that runs there, or by itself where none does. */
export async function freshTableCopy(
  data: string,
  tell: (what: string) => void,
  { stuckMs = STUCK_MS } = {},
): Promise<void> {
  try {
    const { copyTable, close } = await openExisting(data, tell);
    await copyTable().finally(close);
  } catch (error) {
    if (!(error instanceof FolderInUse)) throw error;
    await ask(data, stuckMs);
  }
}

async function ask(data: string, stuckMs: number): Promise<void> {
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
    await waitFor(made, join(data, `${TABLE_COPY}.new`), stuckMs);
    const failure = await readFile(made, 'utf8');
    if (failure) throw new Error(`the registry could not copy its table: ${failure}`);
  } finally {
    await rm(wanted, { force: true });
    await rm(made, { force: true });
  }
}

/** Whoever makes the copy may die before it has said so. */
async function waitFor(made: string, growing: string, stuckMs: number): Promise<void> {
  let [before, since] = ['', Date.now()];
  while (!existsSync(made)) {
    const { size, mtimeMs } = (await stat(growing).catch(() => undefined)) ?? {};
    if (`${size} ${mtimeMs}` !== before) [before, since] = [`${size} ${mtimeMs}`, Date.now()];
    if (Date.now() - since > stuckMs)
      throw new Error('the registry has ended before it had copied its table: begin again');
    await sleep(LOOK_MS);
  }
}
