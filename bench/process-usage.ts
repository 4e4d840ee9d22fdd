import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Written to `clear_refs`, sets the peak (VmHWM) back to what is resident now; see proc(5). */
const RESET_PEAK = '5';
/** Fields 14 and 15 of `stat`, counted from the state, which is field 3. */
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** User and system seconds that `pid` and its living descendants have used so far. */
export function cpuSeconds(pid: number): number {
  return sum(family(pid).map(ownCpuSeconds));
}

/** The most memory `pid` and its descendants have had resident since `resetPeak`, in bytes. Pages of the
 *  page cache count only where they are mapped. */
export function peakBytes(pid: number): number {
  return sum(family(pid).map(ownPeakBytes));
}

export function resetPeak(pid: number): void {
  for (const member of family(pid)) {
    writeFileSync(`/proc/${member}/clear_refs`, RESET_PEAK);
  }
}

function ownCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in parentheses, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) / ticksPerSecond;
}

function ownPeakBytes(pid: number): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) * 1024;
}

function family(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  const children = threads.flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
