import { afterAll, beforeAll, describe, vi } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { type RunningServer, serve } from '../../local/server.ts';
import { runWireTable } from '../wire/run.ts';
import { type Gateway, startGateway } from './gateway/gateway.ts';
import { type AwsStores, startAwsStores } from './stores.ts';

const stores: AwsStores | undefined = await startAwsStores();
if (!stores) {
  if (process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
  console.warn('skipped: the wire table on DynamoDB and S3; no DynamoDB server is installed');
}

afterAll(() => stores?.stop());

describe.runIf(stores)('on DynamoDB and S3', () => {
  beforeAll(() => {
    for (const [name, value] of Object.entries(stores?.environment ?? {})) vi.stubEnv(name, value);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
  });

  describe('the Node host', () => {
    let server: RunningServer;
    beforeAll(async () => {
      const { createAwsRegistry } = await import('../../functions/aws.ts');
      const app = createApp({ registry: createAwsRegistry(process.env).registry });
      server = await serve(app, { host: '127.0.0.1', port: 0 });
    });
    afterAll(() => server.close());
    runWireTable({ fetch: async (path, init) => await fetch(new URL(path, server.url), init) });
  });

  describe('the Lambda function behind the HTTP API', () => {
    let gateway: Gateway;
    beforeAll(async () => {
      vi.spyOn(process.stdout, 'write').mockReturnValue(true); // its log
      process.env['STOWAGE_OPEN'] = '1';
      const { handler } = await import('../../functions/api.ts');
      gateway = await startGateway({ handler });
    });
    afterAll(async () => {
      vi.restoreAllMocks();
      await gateway.close();
    });
    runWireTable({ fetch: async (path, init) => await fetch(new URL(path, gateway.url), init) });
  });
});
