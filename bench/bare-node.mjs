// The least that a server on Node.js with a database starts: what Stowage's start cannot be below.
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';

const database = new DatabaseSync(process.env.BENCH_DATABASE);
database.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS items (key TEXT PRIMARY KEY)');
createServer((_, response) => response.end()).listen(Number(process.env.BENCH_PORT), '127.0.0.1');
process.once('SIGTERM', () => process.exit());
