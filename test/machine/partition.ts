import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Takes a partition out of the table of a registry that is stopped. */
export function removePartition(data: string, partition: string): void {
  const database = new DatabaseSync(join(data, 'registry.sqlite'));
  database.prepare('DELETE FROM items WHERE partition = ?').run(partition);
  database.close();
}
