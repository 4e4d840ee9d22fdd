import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { BIG, fillFolder, STRANGER, STRANGERS_PASSWORD, type StallScale } from '../../bench/stalls/data.ts';
import { ASKS, type Ask } from '../../bench/stalls/requests.ts';
import { type App, createApp } from '../../functions/app.ts';
import { Authentication } from '../../functions/auth/authentication.ts';
import { IdTokenVerifier } from '../../functions/auth/id-tokens.ts';
import { TableKeys } from '../../functions/auth/table-keys.ts';
import { DEFAULT_LEASE } from '../../functions/upkeep/lease.ts';
import { type Embedded, openEmbedded } from '../../local/embedded.ts';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { tokenFor } from '../management/fixture.ts';
import { scratch } from '../scratch.ts';

// What holds the event loop is looked at here by what it does, and by bench/stalls in milliseconds.

const SCALE: StallScale = {
  images: 300,
  blobsPerImage: 10,
  tags: 2000,
  heavyTags: 200,
  tagsOfOne: 100,
  referrers: 1000,
  repositories: 2000,
  auditRecords: 2000,
  users: 200,
  expired: 3000,
  objects: 0,
  tries: 1,
};

/** What was asked of the database between two turns of the event loop: the most calls, and the most rows of one. */
interface Held {
  calls: number;
  rows: number;
  turns: number;
}

/** As long as `work` takes. */
async function watch(work: () => Promise<unknown>): Promise<Held> {
  const held: Held = { calls: 0, rows: 0, turns: 0 };
  let calls = 0;
  const count = <T extends readonly unknown[]>(found: Promise<T>) => {
    calls += 1;
    return found.then((rows) => {
      held.rows = Math.max(held.rows, rows.length);
      return rows;
    });
  };
  const { query, getMany } = SqliteTable.prototype;
  const spies = [
    vi.spyOn(SqliteTable.prototype, 'query').mockImplementation(function (this: SqliteTable, ...args) {
      return count(query.apply(this, args));
    }),
    vi.spyOn(SqliteTable.prototype, 'getMany').mockImplementation(function (this: SqliteTable, ...args) {
      return count(getMany.apply(this, args));
    }),
  ];
  let isDone = false;
  const done = work().finally(() => {
    isDone = true;
  });
  for (; !isDone; held.turns += 1) {
    await setImmediate();
    held.calls = Math.max(held.calls, calls);
    calls = 0;
  }
  for (const spy of spies) spy.mockRestore();
  await done;
  return held;
}

/** A registry whose clock says at each look that a millisecond has passed. */
async function openLarge(): Promise<{ embedded: Embedded; app: App; tokens: Record<string, string> }> {
  const data = await scratch();
  const password = await fillFolder(data, SCALE);
  let now = 0;
  const steady = () => {
    now += 1;
    return now;
  };
  const embedded = await openEmbedded({ data, clocks: { steady } });
  const { registry } = embedded;
  const keys = new TableKeys(registry);
  const authentication = new Authentication({ registry, keys, workloads: new IdTokenVerifier() });
  const app = createApp({ registry, authentication });
  const send = (request: Request) => app(request);
  const scopes = (names: readonly string[]) =>
    names
      .map((name) => `scope=${name}`)
      .join('&')
      .slice('scope='.length);
  const rights = ['big', 'tagged', 'heavy', 'doomed', 'retained'].map(
    (name) => `repository:stalls/${name}:*`,
  );
  const all = ['registry:api:*', 'registry:catalog:*'];
  const tokens = {
    admin: await tokenFor(send, { username: 'admin', password }, scopes([...rights, ...all])),
    stranger: await tokenFor(send, { username: STRANGER, password: STRANGERS_PASSWORD }, scopes(all)),
  };
  return { embedded, app, tokens };
}

function requestOf({ line, as, type, body }: Ask, tokens: Record<string, string>): Request {
  const [method = '', path = ''] = line.split(' ');
  return new Request(`http://registry.test${path}`, {
    method,
    headers: {
      authorization: `Bearer ${tokens[as ?? 'admin']}`,
      ...(type !== undefined && { 'content-type': type }),
    },
    ...(body !== undefined && { body }),
  });
}

/** What one turn may do, of visits that have had five milliseconds in all before. */
const MOST_CALLS = 10;
const MOST_ROWS = 1000;

it('no request, and no tidying, asks the database for much in one turn of the event loop', async () => {
  const { embedded, app, tokens } = await openLarge();
  onTestFinished(() => embedded.close());
  const offenders: (Held & { readonly what: string })[] = [];
  const judge = (what: string, held: Held) => {
    if (held.calls > MOST_CALLS || held.rows > MOST_ROWS) offenders.push({ what, ...held });
  };
  for (const ask of ASKS) {
    const send = async () => (await app(requestOf(ask, tokens))).bytes();
    const held = await watch(() => Promise.all(Array.from({ length: ask.times ?? 1 }, send)));
    judge(`${ask.operation}: ${ask.what}`, held);
  }
  judge('tidying', await watch(() => embedded.tidy(DEFAULT_LEASE)));
  expect(offenders).toEqual([]);
}, 120_000);

it('many who ask at once for the usage of a repository have it read once', async () => {
  const { embedded, app, tokens } = await openLarge();
  onTestFinished(() => embedded.close());
  const query = vi.spyOn(SqliteTable.prototype, 'query');
  onTestFinished(() => query.mockRestore());
  const ask = {
    operation: '',
    what: '',
    line: `GET /api/v1/repositories/${BIG}/-/usage`,
    as: 'stranger',
  } as const;
  const first = await (await app(requestOf(ask, tokens))).json();
  const alone = query.mock.calls.length;
  query.mockClear();
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => (await app(requestOf(ask, tokens))).json()),
  );
  for (const answer of answers) expect(answer).toEqual(first);
  expect(query.mock.calls.length).toBe(alone);
});
