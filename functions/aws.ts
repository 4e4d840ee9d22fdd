import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { ENV } from './environment.ts';
import type { Registry } from './registry/registry.ts';
import { DynamoDbTable } from './storage/dynamodb/dynamodb-table.ts';
import { S3BlobStore } from './storage/s3/s3-blob-store.ts';

/** A registry on DynamoDB and S3. */
export interface AwsRegistry {
  readonly registry: Registry;
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

interface AwsClients {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
}

/** The clients of all AWS calls, as the environment says where AWS is. */
export function awsClients(environment: Environment): AwsClients {
  const endpoint = environment[ENV.bucketEndpoint];
  const tableEndpoint = environment[ENV.tableEndpoint];
  return {
    s3: new S3Client({
      ...(endpoint && { endpoint, forcePathStyle: true }),
      // Every write carries the SHA-256 we need anyway; a second checksum would cost time, and spoil signed URLs.
      requestHandler: TIMEOUTS,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    }),
    // The table repeats calls itself: it knows which of them may be.
    dynamodb: new DynamoDBClient({
      ...(tableEndpoint && { endpoint: tableEndpoint }),
      maxAttempts: 1,
      requestHandler: TIMEOUTS,
    }),
  };
}

/** Builds the registry that the environment names, once per process; throws where a variable is missing. */
export function createAwsRegistry(
  environment: Environment,
  { s3, dynamodb }: AwsClients = awsClients(environment),
): AwsRegistry {
  let calls = 0;
  const onCall = () => {
    calls += 1;
  };
  for (const client of [s3, dynamodb]) count(client, onCall);
  const tableName = required(environment, ENV.table);
  const bucket = required(environment, ENV.bucket);
  const registry: Registry = {
    table: new DynamoDbTable({ client: dynamodb, tableName }),
    blobs: new S3BlobStore({ client: s3, bucket, newId: randomUUID }),
    now: Date.now,
    newId: randomUUID,
    pause: async (attempt) => {
      await setTimeout(Math.random() * attempt * PAUSE_MS);
    },
  };
  return { registry, place: `table ${tableName}, bucket ${bucket}`, callsMade: () => calls };
}

/** Counts behind the retries, so that what AWS was asked is what is counted. */
function count(client: S3Client | DynamoDBClient, onCall: () => void): void {
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
