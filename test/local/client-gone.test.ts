import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { type Answered, type App, createApp } from '../../functions/app.ts';
import { listAudit } from '../../functions/identity/audit.ts';
import { pullKey } from '../../functions/registry/keys.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { serve } from '../../local/server.ts';
import { openWorld, PRINCIPALS, tokenFor } from '../auth/world.ts';
import { imageOf, push, pushBlob, REPOSITORY, through } from '../registry/fixture.ts';

// Whoever has gone before the answer changes nothing later, and is in the log and the trail all the same.

const ADMIN = [{ pattern: '*', actions: ['admin'] }] as const;

/** A registry with an image, served with `own` in place of parts of it. */
async function openServed(ownOf: (registry: Registry) => Partial<Registry>) {
  const world = await openWorld();
  const { registry, authentication } = world;
  const digest = await push(registry, imageOf(await pushBlob(registry)), 'latest');
  const login = await PRINCIPALS.user(world, 'root', ADMIN);
  const token = await tokenFor(world, login, [`repository:${REPOSITORY}:pull,push,delete`]);
  const lines: Answered[] = [];
  const answered = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const inner = createApp({
    registry: { ...registry, ...ownOf(registry) },
    authentication,
    onAnswer(line) {
      lines.push(line);
      answered.resolve();
    },
  });
  const app: App = (request, sender) => {
    request.signal.addEventListener('abort', () => gone.resolve());
    return inner(request, sender);
  };
  const server = await serve(app, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  return {
    registry,
    path: `/v2/${REPOSITORY}/manifests/${digest}`,
    /** When the server has seen that the client is no longer there. */
    gone: gone.promise,
    async statuses(): Promise<number[]> {
      await answered.promise;
      return lines.map(({ response }) => response.status);
    },
    async trail() {
      const range = { since: 0, until: registry.now() + 1, limit: 10 };
      const { records } = await listAudit(registry, range);
      return records.filter(({ operation }) => operation === 'manifest.delete');
    },
    isThere: async () => {
      const headers = { Authorization: `Bearer ${token}` };
      const path = `http://registry.test/v2/${REPOSITORY}/manifests/latest`;
      return (await world.app(new Request(path, { headers }))).status === 200;
    },
    send(method: string, path: string): Socket {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`);
      return socket;
    },
  };
}

/** Where a call waits until the test lets it go on. */
function newGate() {
  const [reached, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const wait = () => {
    reached.resolve();
    return open.promise;
  };
  return { reached: reached.promise, wait, open: open.resolve };
}

it('a delete whose client goes before it has begun to write is not done', async () => {
  const gate = newGate();
  const served = await openServed(({ table }) => ({
    table: through(table, {
      async getMany(keys) {
        await gate.wait();
        return table.getMany(keys);
      },
    }),
  }));
  const client = served.send('DELETE', served.path);
  await gate.reached;
  client.destroy();
  await served.gone;
  gate.open();
  expect(await served.statuses()).toEqual([499]);
  expect(await served.isThere()).toBe(true);
  expect(await served.trail()).toMatchObject([{ outcome: 'failed', status: 499, principal: 'user:root' }]);
});

it('a delete whose client goes after it was done is in the trail', async () => {
  const gate = newGate();
  const served = await openServed(({ table }) => ({
    table: through(table, {
      async write(operations) {
        const outcome = await table.write(operations);
        if (operations.some((operation) => 'remove' in operation)) await gate.wait();
        return outcome;
      },
    }),
  }));
  const client = served.send('DELETE', served.path);
  await gate.reached;
  client.destroy();
  await served.gone;
  gate.open();
  expect(await served.statuses()).toEqual([202]);
  expect(await served.isThere()).toBe(false);
  expect(await served.trail()).toMatchObject([{ outcome: 'allowed', status: 202 }]);
});

it('what is left to do after an answer is done, though the client has gone by then', async () => {
  const works: (() => Promise<void>)[] = [];
  const served = await openServed(() => ({ afterwards: (work) => void works.push(work) }));
  const client = served.send('GET', `/v2/${REPOSITORY}/manifests/latest`);
  await once(client, 'data');
  client.destroy();
  await once(client, 'close');
  expect(works).toHaveLength(1);
  for (const work of works) await work();
  const { registry } = served;
  expect(await registry.table.get(pullKey(REPOSITORY, 'latest' as never))).toMatchObject({
    at: registry.now(),
  });
});
