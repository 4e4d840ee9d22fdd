import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { putPolicy } from '../../functions/registry/policies.ts';
import { confirmPolicy } from '../../functions/registry/policy-confirmations.ts';
import { putOff } from '../../functions/upkeep/due.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { type Connection, withConnections } from '../http/connection.ts';
import { prepare, type Target } from '../http/request.ts';
import { expectReply } from '../registry-calls.ts';
import type { ServerGroup } from '../server-group.ts';
import { stowage } from '../servers.ts';
import { quantile } from '../statistics.ts';
import { tagOf } from './estate.ts';
import { fillTable, open } from './fill.ts';
import { estatesOf, LARGE, POLICY, type RetentionScale } from './life.ts';

/** Clients that pull, and how long each waits before it does so again: far less than a server can do. */
const CLIENTS = 4;
const PAUSE_MS = 5;

interface PullsBeside {
  /** Milliseconds; the second while a large repository is swept. */
  readonly idle: readonly number[];
  readonly beside: readonly number[];
}

interface Place {
  readonly root: string;
  readonly workspace: string;
  readonly group: ServerGroup;
}

/** How long the embedded registry takes to answer with a manifest of another repository, at rest, and while the hourly job
 *  deletes in a large one. `pulls` each. */
export async function pullsBeside(
  { root, workspace, group }: Place,
  scale: RetentionScale,
  pulls: number,
): Promise<PullsBeside> {
  const recipe = await stowage(root)(join(workspace, 'pulls'));
  const data = recipe.settings['STOWAGE_DATA'] ?? '';
  mkdirSync(data);
  await fillFolder(data, scale);
  const pullAll = async () => {
    const server = await group.start(recipe);
    await pull(server.target, pulls / 10); // what runs often is compiled then
    const samples = await pull(server.target, pulls);
    await server.stop();
    return samples;
  };
  const idle = await pullAll();
  await haveSwept(data);
  return { idle, beside: await pullAll() };
}

/** With a confirmed policy: the first sweep deletes. It is due in an hour. */
async function fillFolder(data: string, scale: RetentionScale): Promise<void> {
  const { registry, close } = await openEmbedded({ data });
  const estates = estatesOf(scale);
  await fillTable(registry, estates, registry.now());
  await open(registry, estates);
  await putPolicy(registry, POLICY);
  await confirmPolicy(registry, POLICY.name, POLICY);
  await close();
}

/** By the next start: it begins with what is due. */
async function haveSwept(data: string): Promise<void> {
  const { registry, close } = await openEmbedded({ data });
  await putOff(registry, LARGE);
  await close();
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
