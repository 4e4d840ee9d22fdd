import { dirname } from 'node:path';
import { DirectoryBlobStore } from '../../local/directory-blob-store.ts';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { MeteredTable } from '../sweep/metered-table.ts';
import { MovedRegistry } from './hours.ts';
import { live, type RetentionScale } from './life.ts';

// The hourly jobs on a database that is filled, in a process of its own: what it holds is what they hold.

const [path = '', scale = '', now = ''] = process.argv.slice(2);
const table = new SqliteTable(path);
const counted = new MeteredTable(table);
const blobs = await DirectoryBlobStore.open(dirname(path));
const moved = new MovedRegistry({ counted, units: counted.units, table, blobs }, Number(now));
const days = await live(moved, JSON.parse(scale) as RetentionScale);
table.close();
process.send?.(days);
