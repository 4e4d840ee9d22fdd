import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeKeyRing, newSigningKey, rotated } from '../../functions/auth/signing-keys.ts';
import { ENV } from '../../functions/environment.ts';
import { denyOverwrites } from '../../lib/blob-policy.ts';
import { type DynamoDbProxy, startProxy } from './dynamodb/proxy.ts';
import { startDynamoDb } from './dynamodb/server.ts';
import { clientOf, createTable } from './dynamodb/table.ts';
import { type S3Server, type S3ServerOptions, startS3Server } from './s3/server.ts';
import { type SsmServer, startSsm } from './ssm/server.ts';

/** Servers on this machine that stand in for DynamoDB, S3 and SSM. */
export interface AwsStores {
  /** What a stack would set, and what the SDK reads. */
  readonly environment: Readonly<Record<string, string>>;
  readonly s3: S3Server;
  readonly ssm: SsmServer;
  /** How often transactions met, by the kind of item. */
  readonly conflicts: DynamoDbProxy['conflicts'];
  stop(): Promise<void>;
}

export interface StoresOptions {
  /** How long every call waits before it is looked at. @default 0 */
  readonly latencyMs?: number | undefined;
  /** How long a transaction of DynamoDB runs, which others conflict with. @default transactions do not conflict */
  readonly transactionMs?: number | undefined;
  /** What else the stand-in for S3 is to do. */
  readonly s3?: Pick<S3ServerOptions, 'guests' | 'policy' | 'onObjectCreated' | 'before'>;
}

const credentials = { accessKeyId: 'AKIASTOWAGE', secretAccessKey: 'only-on-this-machine' };
const region = 'us-east-1';
const bucket = 'stowage';
export const BUCKET_ARN = `arn:aws:s3:::${bucket}`;
const signingKeys = '/stowage/test/signing-keys';

/** Starts them, with an empty table and bucket, and with signing keys, as a deployment makes them; `undefined` where
 *  there is no DynamoDB server for this platform. What they hold is in memory and in a directory that goes with them,
 *  or below `directory`, keys aside. */
export async function startAwsStores(
  directory?: string,
  { latencyMs = 0, transactionMs, s3: extras = {} }: StoresOptions = {},
): Promise<AwsStores | undefined> {
  const dynamodb = await startDynamoDb(directory && join(directory, 'dynamodb.sqlite'));
  if (!dynamodb) return undefined;
  const objects = directory ?? (await mkdtemp(join(tmpdir(), 'stowage-aws-')));
  const wait = () => (latencyMs > 0 ? { delayMs: latencyMs } : undefined);
  const before: S3ServerOptions['before'] = async (call) => (await extras.before?.(call)) ?? wait();
  const ssm = await startSsm({ before: wait });
  ssm.parameters.set(signingKeys, encodeKeyRing(rotated(undefined, newSigningKey(Date.now()))));
  const where = { directory: join(objects, 's3'), credentials, region, bucket };
  const policy = () => [denyOverwrites(BUCKET_ARN)];
  const s3 = await startS3Server({ policy, ...extras, ...where, before });
  const isPlain = latencyMs === 0 && transactionMs === undefined;
  const proxy = isPlain
    ? undefined
    : await startProxy(dynamodb.endpoint, {
        latencyMs,
        ...(transactionMs !== undefined && { transactionMs }),
      });
  const client = clientOf(dynamodb.endpoint);
  const table = await createTable(client, directory && 'stowage');
  client.destroy();
  return {
    environment: {
      [ENV.table]: table,
      [ENV.bucket]: bucket,
      [ENV.tableEndpoint]: proxy?.url ?? dynamodb.endpoint,
      [ENV.bucketEndpoint]: underAnotherName(s3.url),
      [ENV.signingKeys]: signingKeys,
      [ENV.signingKeysEndpoint]: ssm.url,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    s3,
    ssm,
    conflicts: proxy?.conflicts ?? new Map(),
    async stop() {
      await s3.close();
      await ssm.close();
      await proxy?.stop();
      await dynamodb.stop();
      if (directory === undefined) await rm(objects, { recursive: true, force: true });
    },
  };
}

/** S3 never has the registry's host name. Where a redirect leads to the same one, whatever the port, clients in newer Go
 *  send their access token along, and S3 refuses two proofs at once. */
const underAnotherName = (url: string) => url.replace('127.0.0.1', 'localhost');
