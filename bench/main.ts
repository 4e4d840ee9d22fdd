import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { measureBounds } from './bounds.ts';
import { boundsReport } from './bounds-report.ts';
import { compareCloud } from './cloud/compare.ts';
import { FULL as CLOUD_FULL, QUICK as CLOUD_QUICK } from './cloud/scale.ts';
import { contention } from './contention.ts';
import { commitOf, describeMachine } from './machine.ts';
import { type Pair, runWorkload } from './measure.ts';
import { memory } from './memory.ts';
import { underAttack } from './memory-attacks.ts';
import { type Options, readOptions } from './options.ts';
import { profileWorkloads } from './profile.ts';
import { type Result, ratio, report } from './report.ts';
import { retention } from './retention/retention.ts';
import { ServerGroup } from './server-group.ts';
import { dockerRegistry, type RecipeMaker, type Server, stowage } from './servers.ts';
import { stalls } from './stalls/stalls.ts';
import { startUp } from './start-up.ts';
import { WORKLOADS } from './workloads/all.ts';
import { zb } from './zb.ts';

const BENCH = import.meta.dirname;
const ROOT = dirname(BENCH);
const PAGE = join(ROOT, 'docs/benchmarks.md');

/** Parts with a place of their own on the page. */
const APART = ['contention', 'retention'];

const options = readOptions(process.argv.slice(2), process.env);
const workspace = mkdtempSync(join(tmpdir(), 'stowage-bench-'));
const group = new ServerGroup();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    group.kill();
    removeWorkspace();
    process.exit(1);
  });
}

try {
  const isEmbedded = options.workloads.length > 0 || [...options.parts].some((each) => !APART.includes(each));
  const part = options.beside === undefined ? 'embedded' : 'beside';
  if (isEmbedded) publish(part, await compare(options), options.write);
  if (options.parts.has('contention')) publish('contention', await crowded(options), options.write);
  if (options.parts.has('retention')) publish('retention', await retained(options), options.write);
  if (options.cloudRows.length > 0) publish('cloud', await compareOnS3(options), options.write);
} finally {
  await group.stop();
  removeWorkspace();
}

/** The machine first and by itself, then start-up, which wants a machine at rest, too. */
async function compare(chosen: Options): Promise<string> {
  const { parts, scale } = chosen;
  const sections = [`${describeMachine(workspace, ROOT)}\n`];
  const bounds = parts.has('bounds') ? await measureBounds(workspace, scale) : undefined;
  const place = (name: string) => ({ root: ROOT, workspace: join(workspace, name), group, scale });
  const starts = parts.has('start-up') ? await startUp(place('start-up')) : undefined;
  const { results, servers } = await runWorkloads(chosen);
  if (servers !== undefined) sections.push(report(results, namesOf(servers)));
  if (bounds !== undefined) {
    const profiles = await profileWorkloads({ ...place('profile'), names: chosen.workloads });
    sections.push(boundsReport(bounds, profiles, results));
  }
  if (parts.has('memory')) {
    sections.push(await memory({ ...place('memory'), used: servers }));
    sections.push(await underAttack(place('attacks')));
  }
  if (parts.has('stalls')) sections.push(await stalls({ ...place('stalls'), isQuick: chosen.isQuick }));
  if (starts !== undefined) sections.push(starts);
  if (parts.has('zb')) sections.push(await zb(place('zb')));
  return sections.join('\n');
}

async function crowded({ scale }: Options): Promise<string> {
  const machine = describeMachine(workspace, ROOT);
  const place = { root: ROOT, workspace: join(workspace, 'contention'), group };
  return `${machine}\n\n${await contention({ ...place, clients: scale.crowds, changes: scale.changes })}`;
}

async function retained({ isQuick }: Options): Promise<string> {
  const place = { root: ROOT, workspace: join(workspace, 'retention'), group, isQuick };
  return `${describeMachine(workspace, ROOT)}\n\n${await retention(place)}`;
}

async function compareOnS3({ isQuick, cloudRows: names }: Options): Promise<string> {
  const machine = describeMachine(workspace, ROOT);
  const scale = isQuick ? CLOUD_QUICK : CLOUD_FULL;
  const place = { root: ROOT, workspace: join(workspace, 'cloud'), group, scale };
  mkdirSync(place.workspace);
  return `${machine}\n\n${await compareCloud({ ...place, names })}\n`;
}

async function runWorkloads({ workloads, scale, ours, other, beside }: Options) {
  const results: Result[] = [];
  if (workloads.length === 0) return { results, servers: undefined };
  const servers = {
    ours: ours ?? (await startIn('stowage', stowage(ROOT))),
    other: other ?? (await startIn('other', beside === undefined ? dockerRegistry : otherStowage(beside))),
  };
  for (const name of workloads) {
    const workload = WORKLOADS.get(name)?.(scale);
    if (workload !== undefined) {
      const result = { workload, servers: await runWorkload(workload, servers) };
      console.error(`${name}: ${ratio(result).toFixed(2)}`);
      results.push(result);
    }
  }
  return { results, servers };
}

function otherStowage(root: string): RecipeMaker {
  const name = `Stowage at ${commitOf(root)}`;
  return async (directory) => ({ ...(await stowage(root)(directory)), name });
}

async function startIn(directory: string, maker: RecipeMaker): Promise<Server> {
  return group.start(await maker(join(workspace, directory)));
}

function namesOf({ ours, other }: Pair<Server>): Pair<string> {
  return { ours: ours.name, other: other.name };
}

/** What of the page a run writes. */
type PagePart = 'embedded' | 'beside' | 'contention' | 'retention' | 'cloud';

/** Prints it; `write` puts it between its marks in the page. */
function publish(part: PagePart, text: string, write: boolean): void {
  console.log(text);
  if (!write) return;
  const page = readFileSync(PAGE, 'utf8');
  const [begin, end] = [
    `<!-- ${part}: written by \`npm run bench -- --write\` -->`,
    `<!-- end of ${part} -->`,
  ];
  const [from, to] = [page.indexOf(begin) + begin.length, page.indexOf(end)];
  if (from < begin.length || to < from) throw new Error(`${PAGE} has no marks for ${part}`);
  const section = text.trim().replaceAll(/^## /gm, '### '); // below a heading of the page
  writeFileSync(PAGE, `${page.slice(0, from)}\n\n${section}\n\n${page.slice(to)}`);
}

function removeWorkspace(): void {
  rmSync(workspace, { recursive: true, force: true });
}
