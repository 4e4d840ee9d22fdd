import type { Pair, ServerResult } from './measure.ts';
import { digits, mean, median } from './statistics.ts';
import { table } from './table.ts';
import type { Figure, Workload } from './workloads/workload.ts';

const MIB = 1024 * 1024;
const UNKNOWN = '–';
const COST_TITLES = [
  'workload',
  'server',
  'seconds',
  'server CPU s',
  'peak memory MiB',
  'client share of a core',
];

export interface Result {
  readonly workload: Workload;
  readonly servers: Pair<ServerResult>;
}

/** Two Markdown tables: how fast, and at what cost. */
export function report(results: readonly Result[], names: Pair<string>): string {
  return [
    '## Time',
    '',
    `Median of the rounds (lowest – highest). Ratio: time of ${names.other} / time of ${names.ours}; above 1.0`,
    `${names.ours} is the faster one.`,
    '',
    table(['workload', names.ours, names.other, 'ratio', 'rounds'], results.map(timeRow), 1),
    '',
    summary(results),
    '',
    '## CPU and memory',
    '',
    'Means over the timed rounds: CPU seconds of the server in a round, its peak resident memory in all of them,',
    'and the share of one core that the client of this benchmark took meanwhile.',
    '',
    table(
      COST_TITLES,
      results.flatMap((result) => costRows(result, names)),
      2,
    ),
    '',
  ].join('\n');
}

/** Time of the other server over ours, of the medians, to the two decimals that are shown. */
export function ratio({ servers }: Result): number {
  return Number((median(secondsOf(servers.other)) / median(secondsOf(servers.ours))).toFixed(2));
}

function timeRow(result: Result): string[] {
  const { workload, servers } = result;
  return [
    workload.title,
    figures(workload.figure, secondsOf(servers.ours)),
    figures(workload.figure, secondsOf(servers.other)),
    ratio(result).toFixed(2),
    String(servers.ours.samples.length),
  ];
}

function summary(results: readonly Result[]): string {
  const worse = results.filter((result) => ratio(result) < 1);
  if (worse.length === 0) {
    return 'No ratio is below 1.0.';
  }
  const titles = worse.map((result) => `${result.workload.title} (${ratio(result).toFixed(2)})`);
  return `Below 1.0: ${titles.join('; ')}.`;
}

function costRows({ workload, servers }: Result, names: Pair<string>): string[][] {
  return [costRow(workload.title, names.ours, servers.ours), costRow('', names.other, servers.other)];
}

function costRow(title: string, name: string, { samples, peakBytes }: ServerResult): string[] {
  const seconds = mean(samples.map((sample) => sample.seconds));
  const clientCpu = mean(samples.map((sample) => sample.clientCpu));
  const serverCpu = samples.map((sample) => sample.serverCpu).filter((cpu) => cpu !== undefined);
  return [
    title,
    name,
    digits(seconds),
    serverCpu.length === 0 ? UNKNOWN : digits(mean(serverCpu)),
    peakBytes === undefined ? UNKNOWN : (peakBytes / MIB).toFixed(0),
    `${((100 * clientCpu) / seconds).toFixed(0)} %`,
  ];
}

function figures({ unit, of }: Figure, seconds: readonly number[]): string {
  const values = seconds.map(of).toSorted((a, b) => a - b);
  const [lowest = 0] = values;
  const highest = values.at(-1) ?? 0;
  return `${digits(median(values))} ${unit} (${digits(lowest)} – ${digits(highest)})`;
}

function secondsOf({ samples }: ServerResult): number[] {
  return samples.map((sample) => sample.seconds);
}
