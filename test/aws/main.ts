import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ENV } from '../../functions/environment.ts';
import { makeFirstAdmin } from './first-admin.ts';
import { startGateway } from './gateway/gateway.ts';
import { startAwsStores } from './stores.ts';

/** The AWS path on this machine: the Lambda functions as they are deployed, behind an emulated HTTP API, on servers
 *  that stand in for DynamoDB, S3 and SSM. Data goes with it, unless STOWAGE_AWS_DATA names a directory. Each of their
 *  calls takes STOWAGE_AWS_LATENCY_MS longer than it does here. */
async function main(): Promise<void> {
  const port = Number(process.env['STOWAGE_FRONT_PORT'] || 5100);
  const data = process.env['STOWAGE_AWS_DATA'];
  if (data) await mkdir(join(data, 's3'), { recursive: true });
  const stores = await startAwsStores(data, Number(process.env['STOWAGE_AWS_LATENCY_MS'] || 0));
  if (!stores) throw new Error('no DynamoDB server for this platform; name one in STOWAGE_TEST_DYNAMODB');
  Object.assign(process.env, stores.environment);
  process.env[ENV.publicUrl] ||= `http://127.0.0.1:${port}`; // the real gateway speaks HTTPS only
  const { username, password } = await makeFirstAdmin(stores.environment);
  const { handler } = await import('../../functions/api.ts'); // reads the environment when it is loaded
  const gateway = await startGateway({ handler, port });
  process.stderr.write(`stowage: the AWS path is at ${gateway.url}\n`);
  process.stderr.write(`  its first admin is "${username}", with the password: ${password}\n`);
  for (const [name, value] of Object.entries(stores.environment))
    process.stderr.write(`  ${name}=${value}\n`);
  const stop = async () => {
    await gateway.close();
    await stores.stop();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
}

await main();
