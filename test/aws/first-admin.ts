import { randomUUID } from 'node:crypto';
import { ENV } from '../../functions/environment.ts';
import { createFirstAdmin } from '../../functions/identity/first-admin.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { DynamoDbTable } from '../../functions/storage/dynamodb/dynamodb-table.ts';
import { LazyBlobStore } from '../../functions/storage/lazy-blob-store.ts';
import { clientOf } from './dynamodb/table.ts';

const USERNAME = 'admin';

/** Makes the first admin in the table that the environment names, as somebody with AWS credentials does; a host on AWS
 *  makes none. */
export async function makeFirstAdmin(
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly username: string; readonly password: string }> {
  const client = clientOf(environment[ENV.tableEndpoint] ?? '');
  const registry: Registry = {
    table: new DynamoDbTable({ client, tableName: environment[ENV.table] ?? '' }),
    blobs: new LazyBlobStore(() => Promise.reject(new Error('users are only in the table'))),
    now: Date.now,
    newId: randomUUID,
    pause: async () => undefined,
  };
  try {
    const password = await createFirstAdmin(registry, USERNAME);
    if (password === undefined) throw new Error('the table has users already');
    return { username: USERNAME, password };
  } finally {
    client.destroy();
  }
}
