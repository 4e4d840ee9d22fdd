import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pair } from './measure.ts';
import type { Scale } from './scale.ts';
import type { ServerGroup } from './server-group.ts';
import { bareNode, dockerRegistry, type Recipe, type RecipeMaker, stowage } from './servers.ts';
import { median, spread } from './statistics.ts';
import { table } from './table.ts';
import { getManifest } from './workloads/get-manifest.ts';
import { listTags } from './workloads/list-tags.ts';

/** As the first start after an update: Node strips the types off all sources, and compiles them. */
const NOTHING_COMPILED = { NODE_DISABLE_COMPILE_CACHE: '1' };

/** After an exit the kernel has memory to take back. */
const PAUSE_MS = 100;

/** Milliseconds of each start. */
interface Row {
  readonly title: string;
  readonly starts: Pair<readonly number[]>;
}

interface StartUpOptions {
  readonly root: string;
  /** Made, for the data of all starts. */
  readonly workspace: string;
  readonly group: ServerGroup;
  readonly scale: Scale;
}

/** Times starts on directories with data and without, and writes the section of the report. */
export async function startUp({ root, workspace, group, scale }: StartUpOptions): Promise<string> {
  mkdirSync(workspace);
  const starter = new Starter(workspace, group);
  const rounds = scale.starts;
  const fresh = (maker: RecipeMaker) => () => starter.onEmpty(maker);
  const [ours, other] = [stowage(root), dockerRegistry];
  const filled = { ours: await starter.fill(ours, scale), other: await starter.fill(other, scale) };
  const again = (recipe: Recipe) => () => starter.time(recipe);
  const rows = [
    await takeTurns('empty', { ours: fresh(ours), other: fresh(other) }, rounds),
    await takeTurns(
      `with 50 images and ${scale.tags} tags`,
      { ours: again(filled.ours), other: again(filled.other) },
      rounds,
    ),
    await takeTurns(
      'empty, the first start after an update',
      { ours: fresh(stowage(root, NOTHING_COMPILED)), other: fresh(other) },
      rounds,
    ),
  ];
  const nothing = await takeTurns('', { ours: fresh(bareNode(root)), other: fresh(other) }, rounds);
  return startUpReport(rows, nothing.starts.ours);
}

/** Starts servers, and stops each when it has answered. */
class Starter {
  #count = 0;
  readonly #workspace: string;
  readonly #group: ServerGroup;

  constructor(workspace: string, group: ServerGroup) {
    this.#workspace = workspace;
    this.#group = group;
  }

  /** Milliseconds to the first answer. */
  async time(recipe: Recipe): Promise<number> {
    await sleep(PAUSE_MS);
    const server = await this.#group.start(recipe);
    await server.stop();
    return server.startSeconds * 1000;
  }

  async onEmpty(maker: RecipeMaker): Promise<number> {
    return this.time(await this.#make(maker));
  }

  /** A recipe on a directory that holds what two workloads set up. */
  async fill(maker: RecipeMaker, scale: Scale): Promise<Recipe> {
    const recipe = await this.#make(maker);
    const server = await this.#group.start(recipe);
    for (const workload of [getManifest(scale), listTags(scale)]) {
      await workload.setUp?.(server.target);
    }
    await server.stop();
    return recipe;
  }

  #make(maker: RecipeMaker): Promise<Recipe> {
    this.#count += 1;
    return maker(join(this.#workspace, String(this.#count)));
  }
}

/** One round before the others does not count. */
async function takeTurns(title: string, start: Pair<() => Promise<number>>, rounds: number): Promise<Row> {
  const starts = { ours: [] as number[], other: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    starts.ours.push(await start.ours());
    starts.other.push(await start.other());
  }
  return { title, starts: { ours: starts.ours.slice(1), other: starts.other.slice(1) } };
}

function startUpReport(rows: readonly Row[], nothing: readonly number[]): string {
  const cells = rows.map(({ title, starts: { ours, other } }) => [
    title,
    spread(ours),
    spread(other),
    (median(other) / median(ours)).toFixed(2),
    String(ours.length),
  ]);
  return [
    '## Start-up',
    '',
    'Milliseconds from the spawn of the process to its first `200` for `GET /v2/`: median (lowest – highest). The',
    'servers take turns.',
    '',
    table(['directory', 'Stowage', 'docker-registry', 'ratio', 'rounds'], cells, 1),
    '',
    `docker-registry is one compiled program. Stowage is a Node.js first: one that opens a database and answers every`,
    `request with an empty 200 takes ${spread(nothing)} ms here. The rest is reading Stowage's modules; compiled`,
    'once, they are kept for later starts.',
    '',
  ].join('\n');
}
