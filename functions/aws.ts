import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { KeySource } from './auth/signing-keys.ts';
import { UploadTokens } from './auth/upload-tokens.ts';
import {
  Calls,
  type ClientOptions,
  connections,
  type Environment,
  pause,
  required,
  TIMEOUTS,
} from './aws-clients.ts';
import { Ec2Instance } from './aws-ec2.ts';
import { ssmKeys, ssmSecret } from './aws-keys.ts';
import { objectKeys } from './aws-published-keys.ts';
import { ENV } from './environment.ts';
import { FrontDoor } from './front-door.ts';
import { Downloads } from './registry/downloads.ts';
import { OpenUploads } from './registry/open-uploads.ts';
import type { Registry } from './registry/registry.ts';
import { DynamoDbTable } from './storage/dynamodb/dynamodb-table.ts';
import { LazyBlobStore } from './storage/lazy-blob-store.ts';
import type { CdnUrls } from './storage/s3/cdn-urls.ts';
import { StreamGate } from './stream/gate.ts';
import type { Machine } from './stream/machine.ts';
import { toldLine } from './telemetry/lines.ts';
import { type Lease, leaseFrom } from './upkeep/lease.ts';

/** A registry on DynamoDB and S3. */
export interface AwsRegistry {
  readonly registry: Registry;
  /** What access tokens are signed with; absent where the environment names no place of keys. */
  readonly keys?: KeySource;
  /** Absent where clients come straight to the registry. */
  readonly front?: FrontDoor;
  /** Absent where there is no stream host that sleeps. */
  readonly stream?: StreamParts;
  /** The table and the bucket, for people. */
  readonly place: string;
  /** Requests sent to AWS so far, repetitions included. */
  readonly callsMade: () => number;
}

/** A stream host that sleeps. */
interface StreamParts {
  /** The id of its instance. */
  readonly instance: string;
  readonly machine: Machine;
  readonly gate: StreamGate;
}

const chance = { now: Date.now, steady: () => performance.now(), newId: randomUUID, pause };

/** Builds the registry that the environment names, once per process; throws where a variable is missing. S3's client
 *  is loaded when it is first needed, which a pull of a manifest never does. */
export function createAwsRegistry(environment: Environment, options: ClientOptions = {}): AwsRegistry {
  const tableName = required(environment, ENV.table);
  const bucket = required(environment, ENV.bucket);
  const calls = new Calls(options);
  const hashes = environment[ENV.frontSecretHash];
  const openCdn = environment[ENV.downloads] === 'cdn' ? cdnOpener(environment, calls) : undefined;
  const partBytes = partBytesFrom(environment[ENV.partMemory]);
  const dynamoDb = calls.of(dynamoDbClient(environment));
  const table = new DynamoDbTable({ client: dynamoDb, tableName, pause });
  const registry: Registry = {
    table,
    blobs: new LazyBlobStore(async () => {
      const { s3Client } = await import('./storage/s3/s3-client.ts');
      const { S3BlobStore } = await import('./storage/s3/s3-blob-store.ts');
      const client = s3Client({
        endpoint: environment[ENV.bucketEndpoint],
        requestHandler: connections(environment, TIMEOUTS),
      });
      const cdn = await openCdn?.();
      return new S3BlobStore({ client: calls.of(client), bucket, newId: randomUUID, pause, cdn, partBytes });
    }),
    ...(hashes && { direct: true }),
    ...(environment[ENV.heads] === 'redirected' && { countsHeads: true }),
    openUploads: new OpenUploads(),
    downloads: new Downloads((line) => void process.stdout.write(`${toldLine(Date.now(), line)}\n`)),
    ...chance,
  };
  const keys = keySource(environment, calls);
  const uploads = keys && new UploadTokens({ keys, now: registry.now });
  const instance = environment[ENV.streamInstance];
  const endpoint = environment[ENV.ec2Endpoint];
  const ec2 = { like: dynamoDb, endpoint, onCall: () => calls.add() };
  return {
    registry,
    ...(keys && { keys }),
    ...(instance && { stream: streamParts(table, instance, new Ec2Instance({ id: instance, ...ec2 })) }),
    ...(hashes && { front: new FrontDoor({ hashes, uploads }) }),
    place: `table ${tableName}, bucket ${bucket}`,
    callsMade: () => calls.made,
  };
}

function streamParts(table: DynamoDbTable, instance: string, machine: Machine): StreamParts {
  const gate = new StreamGate({ table, machine, instance, now: Date.now, wait: setTimeout });
  return { instance, machine, gate };
}

/** One part has room in it: any upload gets on. */
function partBytesFrom(text: string | undefined): number | undefined {
  if (!text) return undefined;
  if (/^\d{1,6}$/.test(text) && Number(text) > 0) return Number(text) * 1024 * 1024;
  throw new Error(`${ENV.partMemory} is not a number of MiB: ${JSON.stringify(text)}`);
}

/** How long whoever sweeps leaves things alone, as the environment says. */
export function leaseOf(environment: Environment): Lease {
  return leaseFrom({
    epochSeconds: environment[ENV.epochSeconds],
    quarantineSeconds: environment[ENV.quarantineSeconds],
    unsafe: environment[ENV.unsafeShortEpochs],
  });
}

/** The private key is read when the first download is signed. */
function cdnOpener(environment: Environment, calls: Calls): () => Promise<CdnUrls> {
  const name = required(environment, ENV.downloadKey);
  const keyId = required(environment, ENV.downloadKeyId);
  const secret = ssmSecret({ environment, name, calls });
  const readKey = async () => {
    const text = await secret.read();
    if (text === undefined) throw new Error(`there is no key in ${name} to sign downloads with`);
    return text;
  };
  return async () => {
    const { CdnUrls } = await import('./storage/s3/cdn-urls.ts');
    return new CdnUrls({ keyId, readKey, now: Date.now });
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
    table: new DynamoDbTable({ client: dynamoDbClient(environment), tableName, pause }),
    blobs: new LazyBlobStore(() => Promise.reject(new Error('this registry was opened without its bytes'))),
    ...chance,
  };
}

/** The table repeats calls itself: it knows which of them may be. */
function dynamoDbClient(environment: Environment): DynamoDBClient {
  const endpoint = environment[ENV.tableEndpoint];
  return new DynamoDBClient({
    ...(endpoint && { endpoint }),
    maxAttempts: 1,
    requestHandler: connections(environment, TIMEOUTS),
  });
}
