import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../test/free-port.ts';
import { settleDisk } from './measure.ts';
import type { Scale } from './scale.ts';
import type { ServerGroup } from './server-group.ts';
import { dockerRegistry, LOOPBACK, type RecipeMaker, type Server, stowage } from './servers.ts';
import { digits, median } from './statistics.ts';
import { table } from './table.ts';

const execute = promisify(execFile);

/** The variables that name programs of others, which are not made here. */
const PROGRAMS = {
  zb: 'STOWAGE_BENCH_ZB',
  zot: 'STOWAGE_BENCH_ZOT',
  distribution: 'STOWAGE_BENCH_DISTRIBUTION',
} as const;

/** Clients at once. */
const CONCURRENCY = 8;

interface ZbOptions {
  readonly root: string;
  /** Made here. */
  readonly workspace: string;
  readonly group: ServerGroup;
  readonly scale: Scale;
}

/** What zot's own benchmark says of each registry, in turns, and the section of the report; without programs, which are missing. */
export async function zb({ root, workspace, group, scale }: ZbOptions): Promise<string> {
  const missing = Object.values(PROGRAMS).filter((name) => !existsSync(process.env[name] ?? ''));
  if (missing.length > 0) {
    const skipped = `skipped: zb needs programs, and these variables name none: ${missing.join(', ')}`;
    console.error(skipped);
    return `## zot's benchmark\n\n${skipped}\n`;
  }
  mkdirSync(workspace);
  const makers = [stowage(root), zot, distribution];
  const recipes = makers.map((maker, n) => maker(join(workspace, `${n}`)));
  const servers = await Promise.all(recipes.map(async (recipe) => group.start(await recipe)));
  const rates = new Map<string, number[][]>();
  for (let round = 0; round < scale.zbRounds; round += 1) {
    for (const [n, server] of servers.entries()) {
      for (const { name, value } of await runZb(server, workspace, scale)) {
        const row = rates.get(name) ?? servers.map(() => []);
        row[n]?.push(value);
        rates.set(name, row);
      }
    }
  }
  return zbReport(servers, rates, scale);
}

interface Rate {
  readonly name: string;
  /** Requests a second. */
  readonly value: number;
}

/** It writes its figures into a file where it stands. Fails where one of its requests was refused. */
async function runZb({ target }: Server, workspace: string, { zbRequests }: Scale): Promise<readonly Rate[]> {
  await settleDisk();
  const url = `http://${target.host}:${target.port}`;
  const sizes = ['-c', `${CONCURRENCY}`, '-n', `${zbRequests}`];
  const flags = [...sizes, '-o', 'ci-cd', '-d', join(workspace, 'zb-data'), '-r', 'bench/zb', url];
  await execute(program('zb'), flags, { cwd: workspace, maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(readFileSync(join(workspace, 'ci-cd.json'), 'utf8')) as Rate[];
}

const program = (name: keyof typeof PROGRAMS) => process.env[PROGRAMS[name]] as string;

/** zot on a directory, which waits for the disk before it answers, as the others do. */
const zot: RecipeMaker = async (directory) => {
  const port = await freePort();
  mkdirSync(directory);
  const config = join(directory, 'config.json');
  const settings = {
    distSpecVersion: '1.1.1',
    storage: { rootDirectory: join(directory, 'data'), commit: true },
    http: { address: LOOPBACK, port: `${port}` },
    log: { level: 'error' },
  };
  writeFileSync(config, JSON.stringify(settings));
  const command = [program('zot'), 'serve', config];
  return { name: 'zot', command, port, settings: {}, root: directory, log: join(directory, 'log') };
};

const distribution: RecipeMaker = async (directory) => {
  const recipe = await dockerRegistry(directory);
  const command = [program('distribution'), ...recipe.command.slice(1)];
  return { ...recipe, name: 'distribution 3', command };
};

function zbReport(
  servers: readonly Server[],
  rates: ReadonlyMap<string, number[][]>,
  { zbRequests, zbRounds }: Scale,
): string {
  const rows = [...rates].map(([name, row]) => [name, ...row.map((values) => digits(median(values)))]);
  return [
    "## zot's benchmark",
    '',
    `\`zb -c ${CONCURRENCY} -n ${zbRequests}\` against each in turn, ${zbRounds} times: requests a second, the median. Each waits for the disk before it`,
    'answers a push.',
    '',
    table(['test', ...servers.map(({ name }) => name)], rows, 1),
    '',
  ].join('\n');
}
