import { afterAll, beforeAll, describe } from 'vitest';
import { openAppHost } from './app-host.ts';
import { runWireTable } from './run.ts';

describe('the app, called as a function', () => {
  let host: Awaited<ReturnType<typeof openAppHost>>;
  beforeAll(async () => {
    host = await openAppHost();
  });
  afterAll(async () => {
    await host.close();
  });
  runWireTable({ fetch: async (path, init) => await host.fetch(path, init) });
});
