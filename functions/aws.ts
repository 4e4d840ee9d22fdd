import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { KeySource } from './auth/signing-keys.ts';
import { Calls, type ClientOptions, type Environment, required, TIMEOUTS } from './aws-clients.ts';
import { ssmKeys } from './aws-keys.ts';
import { objectKeys } from './aws-published-keys.ts';
import { ENV } from './environment.ts';
import type { Registry } from './registry/registry.ts';
import { DynamoDbTable } from './storage/dynamodb/dynamodb-table.ts';
import { LazyBlobStore } from './storage/lazy-blob-store.ts';

/** A registry on DynamoDB and S3. */
export interface AwsRegistry {
  readonly registry: Registry;
  /** What access tokens are signed with; absent where the environment names no place of keys. */
  readonly keys?: KeySource;
  /** The table and the bucket, for people. */
  readonly place: string;
  /** Requests sent to AWS so far, repetitions included. */
  readonly callsMade: () => number;
}

/** Conflicting writers wait up to this long times the number of losses, at random. */
const PAUSE_MS = 25;

const chance = {
  now: Date.now,
  newId: randomUUID,
  pause: async (attempt: number) => {
    await setTimeout(Math.random() * attempt * PAUSE_MS);
  },
};

/** Builds the registry that the environment names, once per process; throws where a variable is missing. S3's client
 *  is loaded when it is first needed, which a pull of a manifest never does. */
export function createAwsRegistry(environment: Environment, options: ClientOptions = {}): AwsRegistry {
  const tableName = required(environment, ENV.table);
  const bucket = required(environment, ENV.bucket);
  const calls = new Calls(options);
  const registry: Registry = {
    table: new DynamoDbTable({ client: calls.of(dynamoDbClient(environment)), tableName }),
    blobs: new LazyBlobStore(async () => {
      const { s3Client } = await import('./storage/s3/s3-client.ts');
      const { S3BlobStore } = await import('./storage/s3/s3-blob-store.ts');
      const client = s3Client({ endpoint: environment[ENV.bucketEndpoint], requestHandler: TIMEOUTS });
      return new S3BlobStore({ client: calls.of(client), bucket, newId: randomUUID });
    }),
    ...chance,
  };
  const keys = keySource(environment, calls);
  return {
    registry,
    ...(keys && { keys }),
    place: `table ${tableName}, bucket ${bucket}`,
    callsMade: () => calls.made,
  };
}

/** The copy where there is one: a host that is told of it can reach no other place of keys. */
function keySource(environment: Environment, calls: Calls): KeySource | undefined {
  const key = environment[ENV.keysObject];
  if (key) return objectKeys({ environment, calls }, key);
  const name = environment[ENV.signingKeys];
  return name ? ssmKeys({ environment, name, calls }) : undefined;
}

/** A registry on the table alone, for what touches no bytes: identity. Needs no name of a bucket. */
export function createAwsMetadata(environment: Environment): Registry {
  const tableName = required(environment, ENV.table);
  return {
    table: new DynamoDbTable({ client: dynamoDbClient(environment), tableName }),
    blobs: new LazyBlobStore(() => Promise.reject(new Error('this registry was opened without its bytes'))),
    ...chance,
  };
}

/** The table repeats calls itself: it knows which of them may be. */
function dynamoDbClient(environment: Environment): DynamoDBClient {
  const endpoint = environment[ENV.tableEndpoint];
  return new DynamoDBClient({ ...(endpoint && { endpoint }), maxAttempts: 1, requestHandler: TIMEOUTS });
}
