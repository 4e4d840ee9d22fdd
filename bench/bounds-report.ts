import { type Bounds, leastSeconds } from './bounds.ts';
import type { Profiles } from './profile.ts';
import { PARTS, type Part } from './profile-parts.ts';
import type { Result } from './report.ts';
import { digits, mean } from './statistics.ts';
import { table } from './table.ts';
import { MIB } from './workloads/figures.ts';

/** From this share of a row's seconds on, whatever takes it is taken to bound the row. */
const BUSY = 0.7;

/** Of the parts of a thread's time, the largest. */
const NAMED = 2;

type Profile = ReadonlyMap<Part, number>;

/** Shares of the seconds of a round. */
interface Shares {
  readonly title: string;
  /** On a core; ready, while others had the cores; neither. All of Stowage's first thread. */
  readonly running: number;
  readonly ready: number;
  readonly waiting: number;
  /** The least that each part of the work takes here by itself. */
  readonly disk: number;
  readonly hash: number;
  readonly loopback: number;
  readonly http: number;
}

/** What this machine can do, how near each row of Stowage comes to it, and what bounds the row. */
export function boundsReport(bounds: Bounds, profiles: Profiles, results: readonly Result[]): string {
  const profileOf = ({ title }: Shares) => profiles.get(title) ?? new Map<Part, number>();
  const rows = results.map((result) => sharesOf(result, bounds)).filter((row) => row !== undefined);
  return [
    '## What bounds Stowage',
    '',
    ...machine(bounds),
    '',
    "Shares of a row's seconds. First what Stowage's first thread did, which runs JavaScript, SQLite and SHA-256: it had a",
    'core, it was ready while others had the cores, or it waited for the disk or the client. Then the least time that each',
    'part of the work takes on this machine by itself; parts overlap, and need not add up.',
    '',
    table(
      ['workload', 'on a core', 'ready', 'waits', 'disk', 'SHA-256', 'loopback', 'HTTP'],
      rows.map(cells),
      1,
    ),
    '',
    'Where the first thread spends the time in which it does anything, by a CPU profile of another round:',
    '',
    table(
      ['workload', ...PARTS],
      rows.map((row) => [row.title, ...profileCells(profileOf(row))]),
      1,
    ),
    '',
    'So each row is bounded by:',
    '',
    ...rows.map((row) => `- ${row.title}: ${boundOf(row, profileOf(row))}.`),
    '',
  ].join('\n');
}

function machine({ write, fsync, hash, loopback, receive, request }: Bounds): string[] {
  return [
    'This machine by itself, the median of three:',
    '',
    `- disk: ${digits(1 / MIB / write)} MiB/s of a new file with one fsync at its end; an fsync of 4 KiB takes ${digits(fsync * 1000)} ms`,
    `- SHA-256 by node:crypto: ${digits(1 / MIB / hash)} MiB/s on one thread`,
    `- loopback, between two threads of Node.js: ${digits(1 / MIB / loopback)} MiB/s`,
    `- HTTP: Node's own server answers ${digits(1 / request)} empty requests/s on one thread, and takes bodies at\n  ${digits(1 / MIB / receive)} MiB/s`,
  ];
}

function sharesOf({ workload, servers }: Result, bounds: Bounds): Shares | undefined {
  const { samples } = servers.ours;
  const seconds = mean(samples.map((sample) => sample.seconds));
  const thread = samples.map(({ mainThread }) => mainThread).filter((known) => known !== undefined);
  if (thread.length === 0) return undefined;
  const running = mean(thread.map((one) => one.running)) / seconds;
  const ready = mean(thread.map((one) => one.ready)) / seconds;
  const { disk, hash, loopback, http } = leastSeconds(workload.demand, bounds);
  return {
    title: workload.title,
    running,
    ready,
    waiting: Math.max(0, 1 - running - ready),
    disk: disk / seconds,
    hash: hash / seconds,
    loopback: loopback / seconds,
    http: http / seconds,
  };
}

function cells({ title, running, ready, waiting, disk, hash, loopback, http }: Shares): string[] {
  return [title, ...[running, ready, waiting, disk, hash, loopback, http].map(percent)];
}

function profileCells(profile: Profile): string[] {
  return PARTS.map((part) => percent(profile.get(part) ?? 0));
}

/** A part that takes nearly all of a row by itself, or a thread that hardly ever waits. A thread that waits does so for
 *  the disk where the disk is asked for anything. */
function boundOf({ running, ready, disk, hash, loopback, http }: Shares, profile: Profile): string {
  const alone = {
    'writing to the disk': disk,
    'SHA-256': hash,
    'the loopback': loopback,
    'HTTP in Node.js': http,
  };
  const [bound] = Object.entries(alone).toSorted(([, a], [, b]) => b - a);
  if (bound !== undefined && bound[1] >= BUSY) return `${bound[0]}, which alone takes ${percent(bound[1])}`;
  const busy = running + ready;
  if (busy < BUSY) {
    return `${disk > 0 ? 'writing to the disk' : 'the client'}, for which the thread waits (${percent(1 - busy)})`;
  }
  const largest = [...profile].toSorted(([, a], [, b]) => b - a).slice(0, NAMED);
  const named = largest.map(([part, share]) => `${part} (${percent(share)})`).join(' and ');
  return `the one thread of JavaScript, most of it ${named}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
