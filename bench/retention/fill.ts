import { DatabaseSync } from 'node:sqlite';
import type { Registry } from '../../functions/registry/registry.ts';
import { setVisibility } from '../../functions/registry/repositories.ts';
import { renameOperations } from '../../functions/registry/tag-names.ts';
import { MAX_OPERATIONS, type Operation } from '../../functions/storage/table.ts';
import { encode } from '../../local/attributes.ts';
import { prepare, SCHEMA } from '../../local/statements.ts';
import { type Estate, itemsOf, tagOf } from './estate.ts';

const ROWS_AT_ONCE = 100_000;

/** Makes a database with the repositories' contents, far faster than the table, which waits for the disk. */
export function fillFile(path: string, estates: readonly Estate[], now: number): void {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
  database.exec(SCHEMA);
  const { put } = prepare(database);
  let rows = 0;
  database.exec('BEGIN');
  for (const estate of estates) {
    for (const { put: key, attributes } of itemsOf(estate, now)) {
      put.run(key.partition, key.sort, encode(attributes), null);
      rows += 1;
      if (rows % ROWS_AT_ONCE === 0) database.exec('COMMIT; BEGIN');
    }
  }
  database.exec('COMMIT');
  database.close();
}

/** Writes the repositories' contents into any table. */
export async function fillTable(
  { table }: Pick<Registry, 'table'>,
  estates: readonly Estate[],
  now: number,
): Promise<void> {
  for (const estate of estates) {
    let batch: Operation[] = [];
    for (const operation of itemsOf(estate, now)) {
      batch.push(operation);
      if (batch.length < MAX_OPERATIONS) continue;
      await table.write(batch);
      batch = [];
    }
    if (batch.length > 0) await table.write(batch);
  }
}

/** Makes the repositories known, with the names of their tags; their contents are there. */
export async function open(registry: Registry, estates: readonly Estate[]): Promise<void> {
  for (const { name, images } of estates) {
    await setVisibility(registry, name, false);
    const tags = Array.from({ length: images }, (_, image) => tagOf(image));
    for (const operation of renameOperations(name, { added: tags })) await registry.table.write([operation]);
  }
}
