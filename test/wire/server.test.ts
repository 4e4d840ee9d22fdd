import { afterAll, beforeAll, describe } from 'vitest';
import { runWireTable } from './run.ts';
import { openServerHost } from './server-host.ts';

describe('a listening server', () => {
  let host: Awaited<ReturnType<typeof openServerHost>>;
  beforeAll(async () => {
    host = await openServerHost();
  });
  afterAll(async () => {
    await host.close();
  });
  runWireTable({ fetch: async (path, init) => await host.fetch(path, init) });
});
