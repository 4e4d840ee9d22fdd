import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Pair, settleDisk } from './measure.ts';
import { peakBytes, resetPeak, residentBytes } from './process-usage.ts';
import type { Scale } from './scale.ts';
import type { ServerGroup } from './server-group.ts';
import { dockerRegistry, type RecipeMaker, type Server, stowage } from './servers.ts';
import { digits } from './statistics.ts';
import { table } from './table.ts';
import { MIB } from './workloads/figures.ts';
import { getManifest } from './workloads/get-manifest.ts';
import { pullBlob } from './workloads/pull-blob.ts';
import { pushBlobPatch, pushBlobPut } from './workloads/push-blob.ts';
import type { Measure, Workload } from './workloads/workload.ts';

/** Of each kind of push, at once. */
const PUSHES = 2;
const PULLS = 4;

interface Usage {
  readonly started: Resident;
  readonly peakBytes: number;
  readonly loadSeconds: number;
  readonly afterwards: Resident;
}

type Resident = ReturnType<typeof residentBytes>;

interface MemoryOptions {
  readonly root: string;
  /** Made, and removed: it holds some GiB. */
  readonly workspace: string;
  readonly group: ServerGroup;
  readonly scale: Scale;
  /** The servers that have run the workloads, if any did. */
  readonly used: Pair<Server> | undefined;
}

/** Reads the memory of new servers at rest, under load and afterwards, and writes the section of the report. */
export async function memory({ root, workspace, group, scale, used }: MemoryOptions): Promise<string> {
  await sleep(scale.quietSeconds * 1000);
  const afterWorkloads = { ours: residentOf(used?.ours), other: residentOf(used?.other) };
  const usageOf = async (maker: RecipeMaker) => {
    mkdirSync(workspace);
    const usage = await measure(maker, { workspace, group, scale });
    rmSync(workspace, { recursive: true });
    return usage;
  };
  const usage = { ours: await usageOf(stowage(root)), other: await usageOf(dockerRegistry) };
  return memoryReport(usage, afterWorkloads, scale);
}

async function measure(
  maker: RecipeMaker,
  { workspace, group, scale }: Pick<MemoryOptions, 'workspace' | 'group' | 'scale'>,
): Promise<Usage> {
  const server = await group.start(await maker(join(workspace, 'server')));
  const quiet = async () => {
    await sleep(scale.quietSeconds * 1000);
    return residentBytes(server.pid);
  };
  const started = await quiet();
  const load = await prepareLoad(server, scale);
  await settleDisk();
  resetPeak(server.pid);
  const start = performance.now();
  await load();
  const loadSeconds = (performance.now() - start) / 1000;
  const usage = { started, peakBytes: peakBytes(server.pid), loadSeconds, afterwards: await quiet() };
  await server.stop();
  return usage;
}

/** Sets up what the load needs; the load is a round of several workloads at once. */
async function prepareLoad({ target }: Server, scale: Scale): Promise<() => Promise<unknown>> {
  const pushes = [pushBlobPut(scale), pushBlobPatch(scale)];
  const pull = pullBlob(scale);
  const get = getManifest(scale);
  await pull.setUp?.(target);
  await get.setUp?.(target);
  const times = (count: number, workload: Workload) => Array.from({ length: count }, () => workload);
  const workloads = [...pushes.flatMap((push) => times(PUSHES, push)), ...times(PULLS, pull), get];
  const rounds = workloads.map((workload, n) => workload.makeRound(`memory-${n}`));
  const untimed: Measure = async (work) => void (await work());
  return () => Promise.all(rounds.map((round) => round(target, untimed)));
}

function residentOf(server: Server | undefined): Resident | undefined {
  return server?.pid === undefined ? undefined : residentBytes(server.pid);
}

function memoryReport(
  { ours, other }: Pair<Usage>,
  afterWorkloads: Pair<Resident | undefined>,
  { blobBytes, manifestGets, quietSeconds }: Scale,
): string {
  const rows = [
    ['started, one request', resident(ours.started), resident(other.started)],
    ['peak under the load', mebibytes(ours.peakBytes), mebibytes(other.peakBytes)],
    ['after the load', resident(ours.afterwards), resident(other.afterwards)],
    ['after the workloads above', resident(afterWorkloads.ours), resident(afterWorkloads.other)],
    ['seconds of the load', digits(ours.loadSeconds), digits(other.loadSeconds)],
  ];
  return [
    '## Memory',
    '',
    `Resident MiB (of it anonymous: not pages of files), each ${quietSeconds} s after the last request but for the peak. The load,`,
    `all at once: ${PUSHES} pushes by PUT, ${PUSHES} by PATCH and ${PULLS} pulls of ${blobBytes / MIB} MiB each, and ${manifestGets} GETs of manifests over 32`,
    'connections.',
    '',
    table(['state', 'Stowage', 'docker-registry'], rows, 1),
    '',
    'Node.js itself, its compiler and its heap are most of what Stowage holds at rest. V8 does not hand a heap back that',
    'nothing asks it for; it does not grow with the size of blobs.',
    '',
  ].join('\n');
}

function resident(memory: Resident | undefined): string {
  return memory === undefined ? '–' : `${mebibytes(memory.all)} (${mebibytes(memory.anonymous)})`;
}

function mebibytes(bytes: number): string {
  return (bytes / MIB).toFixed(0);
}
