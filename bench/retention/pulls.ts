import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFirstAdmin } from '../../functions/identity/first-admin.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import { confirmPolicy } from '../../functions/registry/policy-confirmations.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { wholeBody } from '../http/body.ts';
import { type Connection, withConnection, withConnections } from '../http/connection.ts';
import { prepare, type Target } from '../http/request.ts';
import { expectReply } from '../registry-calls.ts';
import type { ServerGroup } from '../server-group.ts';
import { stowage } from '../servers.ts';
import { quantile } from '../statistics.ts';
import { tagOf } from './estate.ts';
import { fillTable, open } from './fill.ts';
import { estatesOf, POLICY, type RetentionScale } from './life.ts';

/** Clients that pull, and how long each waits before it does so again: far less than a server can do. */
const CLIENTS = 4;
const PAUSE_MS = 5;

interface PullsBeside {
  /** Milliseconds; the second while a sweep of the large repository runs. */
  readonly idle: readonly number[];
  readonly beside: readonly number[];
  readonly sweeps: number;
}

interface Place {
  readonly root: string;
  readonly workspace: string;
  readonly group: ServerGroup;
}

/** How long the embedded registry takes to answer with a manifest of another repository, at rest, and while retention deletes in a
 *  large one. `pulls` each. */
export async function pullsBeside(
  { root, workspace, group }: Place,
  scale: RetentionScale,
  pulls: number,
): Promise<PullsBeside> {
  const recipe = await stowage(root, { STOWAGE_OPEN: '' })(join(workspace, 'pulls'));
  const data = recipe.settings['STOWAGE_DATA'] ?? '';
  mkdirSync(data);
  const password = await fillFolder(data, scale);
  const server = await group.start(recipe);
  const target = { ...server.target, authorization: await logIn(server.target, password) };
  await pull(target, pulls / 10); // what runs often is compiled then
  const idle = await pull(target, pulls);
  const ended = new AbortController();
  const sweeping = sweepUntil(target, ended.signal);
  const beside = await pull(target, pulls);
  ended.abort();
  const sweeps = await sweeping;
  await server.stop();
  return { idle, beside, sweeps };
}

/** With a confirmed policy: the first sweep deletes. Answers the password of its admin. */
async function fillFolder(data: string, scale: RetentionScale): Promise<string> {
  const { registry, close } = await openEmbedded({ data });
  const password = await createFirstAdmin(registry, 'admin');
  const estates = estatesOf(scale);
  await fillTable(registry, estates, registry.now());
  await open(registry, estates);
  await putPolicy(registry, POLICY);
  await confirmPolicy(registry, POLICY.name, POLICY);
  await close();
  return password ?? '';
}

/** The value of an `Authorization` header. */
async function logIn({ host, port }: Target, password: string): Promise<string> {
  const scopes = ['repository:small/n000:pull', 'registry:api:*'];
  const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]));
  const authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
  const response = await fetch(`http://${host}:${port}/token?${query}`, { headers: { authorization } });
  return `Bearer ${((await response.json()) as { token: string }).token}`;
}

/** Sweeps the large repository again and again; answers how often. */
async function sweepUntil(target: Target, signal: AbortSignal): Promise<number> {
  const path = '/api/v1/repositories/large/app/-/sweep';
  const sweep = prepare(target, {
    ...{ method: 'POST', path, body: wholeBody(Buffer.from('{}')) },
    headers: ['Content-Type: application/json'],
  });
  let sweeps = 0;
  await withConnection(target, async (connection) => {
    for (; !signal.aborted; sweeps += 1) await expectReply(connection, sweep, 200);
  });
  return sweeps;
}

/** Milliseconds of each. */
async function pull(target: Target, count: number): Promise<readonly number[]> {
  const path = `/v2/small/n000/manifests/${tagOf(19)}`;
  const request = prepare(target, { method: 'GET', path, headers: ['Accept: */*'] });
  const samples: number[] = [];
  const pullAgain = async (connection: Connection) => {
    while (samples.length < count) {
      const started = performance.now();
      await expectReply(connection, request, 200);
      samples.push(performance.now() - started);
      await sleep(PAUSE_MS);
    }
  };
  await withConnections(target, CLIENTS, (connections) => Promise.all(connections.map(pullAgain)));
  return samples;
}

/** Of a hundred pulls, how long all but one took at most. */
export const p99 = (samples: readonly number[]) => quantile(samples, 0.99);
