import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ENV } from '../../functions/environment.ts';
import { createFirstAdmin } from '../../functions/identity/first-admin.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { DynamoDbTable } from '../../functions/storage/dynamodb/dynamodb-table.ts';
import { LazyBlobStore } from '../../functions/storage/lazy-blob-store.ts';
import { fullJitter } from '../../functions/storage/pause.ts';
import { clientOf } from './dynamodb/table.ts';

const USERNAME = 'admin';

type Environment = Readonly<Record<string, string>>;

interface Admin {
  readonly username: string;
  readonly password: string;
}

/** As `makeFirstAdmin`, or the one of an earlier start: its password stays in `directory`, beside the data. */
export async function keptFirstAdmin(environment: Environment, directory: string): Promise<Admin> {
  const file = join(directory, 'admin-password');
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept !== undefined) return { username: USERNAME, password: kept };
  const admin = await makeFirstAdmin(environment);
  await writeFile(file, admin.password, { mode: 0o600 });
  return admin;
}

/** Makes the first admin in the table that the environment names, as somebody with AWS credentials does; a host on AWS
 *  makes none. */
export async function makeFirstAdmin(environment: Environment): Promise<Admin> {
  const client = clientOf(environment[ENV.tableEndpoint] ?? '');
  const pause = fullJitter(Math.random, setTimeout);
  const registry: Registry = {
    table: new DynamoDbTable({ client, tableName: environment[ENV.table] ?? '', pause }),
    blobs: new LazyBlobStore(() => Promise.reject(new Error('users are only in the table'))),
    now: Date.now,
    steady: () => performance.now(),
    newId: randomUUID,
    pause,
  };
  try {
    const password = await createFirstAdmin(registry, USERNAME);
    if (password === undefined) throw new Error('the table has users already');
    return { username: USERNAME, password };
  } finally {
    client.destroy();
  }
}
