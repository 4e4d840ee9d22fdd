import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ENV } from '../../functions/environment.ts';
import { startDynamoDb } from '../../test/aws/dynamodb/server.ts';
import { clientOf, createTable } from '../../test/aws/dynamodb/table.ts';
import type { Distances, ProxyUrls } from './processes/proxies.ts';
import type { CallCounts } from './proxy.ts';
import { BUCKET, CREDENTIALS, DISTANCES, REGION } from './settings.ts';

const PROCESSES = join(import.meta.dirname, 'processes');

/** One S3 and one DynamoDB for all registries, each behind a proxy that keeps its distance and counts. */
export interface CloudStores {
  readonly s3Url: string;
  /** What a Stowage on them has to be told. */
  readonly environment: Readonly<Record<string, string>>;
  /** Moves the stores away, or next door; answers the calls since they were last moved. */
  move(where: 'far' | 'near'): Promise<CallCounts>;
  stop(): Promise<void>;
}

/** Starts them on empty directories below `workspace`. The proxies and S3 run in processes of their own, as DynamoDB's
 *  stand-in does: what a registry waits for must not wait for the registry's client. */
export async function startStores(workspace: string): Promise<CloudStores> {
  const dynamoDb = await startDynamoDb(join(workspace, 'dynamodb.sqlite'));
  if (!dynamoDb) throw new Error('no DynamoDB server for this platform; name one in STOWAGE_TEST_DYNAMODB');
  const client = clientOf(dynamoDb.endpoint);
  const table = await createTable(client);
  client.destroy();
  const objects = join(workspace, 's3');
  mkdirSync(objects);
  const s3 = fork(join(PROCESSES, 's3.ts'), [objects]);
  const [s3Url] = (await once(s3, 'message')) as [string];
  const proxies = fork(join(PROCESSES, 'proxies.ts'), [s3Url, dynamoDb.endpoint]);
  const [urls] = (await once(proxies, 'message')) as [ProxyUrls];
  return {
    s3Url: urls.s3,
    environment: {
      [ENV.table]: table,
      [ENV.bucket]: BUCKET,
      [ENV.tableEndpoint]: urls.dynamoDb,
      [ENV.bucketEndpoint]: urls.s3,
      [ENV.open]: '1',
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    },
    async move(where) {
      const distances: Distances = where === 'far' ? DISTANCES : {};
      proxies.send(distances);
      const [counts] = (await once(proxies, 'message')) as [CallCounts];
      return counts;
    },
    async stop() {
      await Promise.all([end(proxies), end(s3)]);
      await dynamoDb.stop();
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
