import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { cpuSeconds, mainThreadSeconds, peakBytes, resetPeak, type ThreadSeconds } from './process-usage.ts';
import type { Server } from './servers.ts';
import type { Measure, RoundOfWork, Workload } from './workloads/workload.ts';

const execute = promisify(execFile);

/** One timed section. */
interface Sample {
  readonly seconds: number;
  /** CPU seconds of the server, and of this process, in the same time. */
  readonly serverCpu: number | undefined;
  readonly clientCpu: number;
  /** Of the server's first thread, in the same time. */
  readonly mainThread: ThreadSeconds | undefined;
}

export interface ServerResult {
  readonly samples: readonly Sample[];
  /** The server's peak resident memory in the timed rounds. */
  readonly peakBytes: number | undefined;
}

/** Both servers, always in this order. */
export interface Pair<T> {
  readonly ours: T;
  readonly other: T;
}

/** Sets up both servers, warms both up, then lets them take turns: ours, the other, ours, the other. */
export async function runWorkload(
  workload: Workload,
  { ours, other }: Pair<Server>,
): Promise<Pair<ServerResult>> {
  await workload.setUp?.(ours.target);
  await workload.setUp?.(other.target);
  const label = `${process.pid}`;
  const warmUp = workload.makeRound(`${label}-0`);
  await runOnce(warmUp, ours);
  await runOnce(warmUp, other);
  const samples = { ours: [] as Sample[], other: [] as Sample[] };
  for (const { pid } of [ours, other]) {
    onProcess(pid, resetPeak);
  }
  for (let round = 1; round <= workload.rounds; round++) {
    const work = workload.makeRound(`${label}-${round}`);
    samples.ours.push(await runOnce(work, ours));
    samples.other.push(await runOnce(work, other));
  }
  return {
    ours: { samples: samples.ours, peakBytes: onProcess(ours.pid, peakBytes) },
    other: { samples: samples.other, peakBytes: onProcess(other.pid, peakBytes) },
  };
}

async function runOnce(work: RoundOfWork, { target, pid }: Server): Promise<Sample> {
  let sample: Sample | undefined;
  const measure: Measure = async (timed) => {
    await settleDisk();
    const serverBefore = onProcess(pid, cpuSeconds);
    const threadBefore = onProcess(pid, mainThreadSeconds);
    const clientBefore = process.cpuUsage();
    const start = process.hrtime.bigint();
    await timed();
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    const client = process.cpuUsage(clientBefore);
    const serverAfter = onProcess(pid, cpuSeconds);
    const threadAfter = onProcess(pid, mainThreadSeconds);
    sample = {
      seconds,
      serverCpu: difference(serverAfter, serverBefore),
      clientCpu: (client.user + client.system) / 1e6,
      mainThread: threadDifference(threadAfter, threadBefore),
    };
  };
  await work(target, measure);
  if (sample === undefined) {
    throw new Error('a round measured nothing');
  }
  return sample;
}

/** Writes back what is dirty, so that nobody waits at an fsync for what somebody else wrote. */
export async function settleDisk(): Promise<void> {
  await execute('sync');
}

function onProcess<T>(pid: number | undefined, look: (pid: number) => T): T | undefined {
  return pid === undefined ? undefined : look(pid);
}

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before;
}

function threadDifference(after: ThreadSeconds | undefined, before: ThreadSeconds | undefined) {
  if (after === undefined || before === undefined) return undefined;
  return { running: after.running - before.running, ready: after.ready - before.ready };
}
