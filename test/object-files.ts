import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What lies beside the objects: whose they are, a copy of the table, and the folder of uploads. */
const OTHERS = ['registry-id', 'uploads', 'table.sqlite', 'table.sqlite.new'];

/** The names of the objects in a registry's folder, and of whatever should not be there. */
export const objectFiles = (data: string): string[] =>
  readdirSync(join(data, 'blobs')).filter((name) => !OTHERS.includes(name));
