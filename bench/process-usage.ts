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
  return sum(family(pid).map((member) => statusBytes(member, 'VmHWM')));
}

/** What is resident of `pid` and its descendants now, in bytes, and how much of it is no file's: programs are files,
 *  and their pages go where memory is short. */
export function residentBytes(pid: number): { readonly all: number; readonly anonymous: number } {
  const members = family(pid);
  return {
    all: sum(members.map((member) => statusBytes(member, 'VmRSS'))),
    anonymous: sum(members.map((member) => statusBytes(member, 'RssAnon'))),
  };
}

/** How long a thread has been on a core, and how long ready for one while others had them. */
export interface ThreadSeconds {
  readonly running: number;
  readonly ready: number;
}

/** Of the first thread of `pid`, so far. */
export function mainThreadSeconds(pid: number): ThreadSeconds {
  const [running, ready] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return { running: Number(running) / 1e9, ready: Number(ready) / 1e9 };
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

function statusBytes(pid: number, name: 'VmHWM' | 'VmRSS' | 'RssAnon'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
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
