import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import type { KeySource } from './auth/signing-keys.ts';
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

type Environment = Readonly<Record<string, string | undefined>>;

/** A connection that hangs must not take the request of a client with it: AWS answers in milliseconds, or not. S3 may
 *  take a while for a large part, but not without a sign of life. */
const TIMEOUTS = { connectionTimeout: 2000, socketTimeout: 20_000 };

/** Conflicting writers wait up to this long times the number of losses, at random. */
const PAUSE_MS = 25;

type AwsClient = S3Client | DynamoDBClient;

interface AwsRegistryOptions {
  /** Called with each client when it is made, before its first call. */
  readonly onClient?: (client: AwsClient) => void;
}

/** Builds the registry that the environment names, once per process; throws where a variable is missing. S3's client
 *  is loaded when it is first needed, which a pull of a manifest never does. */
export function createAwsRegistry(
  environment: Environment,
  { onClient }: AwsRegistryOptions = {},
): AwsRegistry {
  const tableName = required(environment, ENV.table);
  const bucket = required(environment, ENV.bucket);
  let calls = 0;
  const made = <C extends AwsClient>(client: C): C => {
    count(client, () => {
      calls += 1;
    });
    onClient?.(client);
    return client;
  };
  const registry: Registry = {
    table: new DynamoDbTable({ client: made(dynamoDbClient(environment)), tableName }),
    blobs: new LazyBlobStore(async () => {
      const { s3Client } = await import('./storage/s3/s3-client.ts');
      const { S3BlobStore } = await import('./storage/s3/s3-blob-store.ts');
      const client = made(s3Client({ endpoint: environment[ENV.bucketEndpoint], requestHandler: TIMEOUTS }));
      return new S3BlobStore({ client, bucket, newId: randomUUID });
    }),
    now: Date.now,
    newId: randomUUID,
    pause: async (attempt) => {
      await setTimeout(Math.random() * attempt * PAUSE_MS);
    },
  };
  return { registry, place: `table ${tableName}, bucket ${bucket}`, callsMade: () => calls };
}

/** The table repeats calls itself: it knows which of them may be. */
function dynamoDbClient(environment: Environment): DynamoDBClient {
  const endpoint = environment[ENV.tableEndpoint];
  return new DynamoDBClient({ ...(endpoint && { endpoint }), maxAttempts: 1, requestHandler: TIMEOUTS });
}

/** Counts behind the retries, so that what AWS was asked is what is counted. */
function count(client: AwsClient, onCall: () => void): void {
  const { handle } = client.config.requestHandler;
  client.config.requestHandler.handle = function counted(...args: Parameters<typeof handle>) {
    onCall();
    return handle.apply(this, args);
  };
}

function required(environment: Environment, name: string): string {
  const value = environment[name];
  if (!value) throw new Error(`the environment variable ${name} is not set`);
  return value;
}
