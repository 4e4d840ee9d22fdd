import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENV } from '../../functions/environment.ts';
import { startAwsPath } from './aws-path.ts';

/** The AWS path on this machine: CloudFront with the front door's functions, and behind it the Lambda functions as they are
 *  deployed with an emulated HTTP API in front, S3, and where STOWAGE_STREAM_HOST=instance the stream host; servers stand
 *  in for DynamoDB, S3, SSM and the KeyValueStore. STOWAGE_DOWNLOADS is `s3` or `cdn`. Data goes with it, unless
 *  STOWAGE_AWS_DATA names a directory. Each call to a store takes STOWAGE_AWS_LATENCY_MS longer than it does here;
 *  with STOWAGE_AWS_TRANSACTION_MS transactions of DynamoDB run so long, and conflict. With STOWAGE_OPEN=1 it has no users.
 *  What the functions log, which CloudWatch reads, goes to a file. */
async function main(): Promise<void> {
  const data = process.env['STOWAGE_AWS_DATA'] || undefined;
  if (data) await mkdir(join(data, 's3'), { recursive: true });
  const log = join(data ?? (await mkdtemp(join(tmpdir(), 'stowage-aws-'))), 'functions.log');
  const lines = createWriteStream(log, { flags: 'a' });
  process.stdout.write = lines.write.bind(lines) as typeof process.stdout.write;
  const path = await startAwsPath({
    port: Number(process.env['STOWAGE_FRONT_PORT'] || 5100),
    data,
    latencyMs: Number(process.env['STOWAGE_AWS_LATENCY_MS'] || 0),
    transactionMs: Number(process.env['STOWAGE_AWS_TRANSACTION_MS'] || 0) || undefined,
    streamHost: oneOf('STOWAGE_STREAM_HOST', ['none', 'instance']),
    downloads: oneOf('STOWAGE_DOWNLOADS', ['s3', 'cdn']),
    heads: oneOf(ENV.heads, ['answered', 'redirected']),
    contentLengthOnHead: oneOf('STOWAGE_AWS_HEAD_LENGTH', ['kept', 'recomputed']),
  });
  if (!path) throw new Error('no DynamoDB server for this platform; name one in STOWAGE_TEST_DYNAMODB');
  const { username, password } = path.admin;
  process.stderr.write(`stowage: the AWS path is at ${path.url}\n`);
  process.stderr.write(
    process.env[ENV.open] === '1'
      ? '  it has no users: everybody may do everything (STOWAGE_OPEN=1)\n'
      : `  its first admin is "${username}", with the password: ${password}\n`,
  );
  process.stderr.write(`  its functions log to ${log}\n`);
  const told = { STOWAGE_HARNESS_URL: path.controlUrl, ...path.stores.environment };
  for (const [name, value] of Object.entries(told)) process.stderr.write(`  ${name}=${value}\n`);
  const stop = async () => {
    await path.stop();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
}

/** The first one by default. */
function oneOf<T extends string>(name: string, values: readonly [T, ...T[]]): T {
  const value = process.env[name] || values[0];
  const found = values.find((each) => each === value);
  if (found === undefined) throw new Error(`${name} is none of ${values.join(', ')}: ${value}`);
  return found;
}

await main();
