import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { median, spread } from '../statistics.ts';
import { table } from '../table.ts';
import type { Bundle } from './bundle.ts';
import { type Candidate, ROUNDS, type Start } from './measure.ts';

/** Ours; some hundred times below what Lambda takes, and read and compiled whole in each new container. */
export const MAX_BUNDLE_BYTES = 1_100_000;

/** Packages named one by one. */
const MAX_NAMED = 12;

interface Measured {
  readonly root: string;
  readonly bundle: Bundle;
  readonly starts: ReadonlyMap<Candidate, readonly Start[]>;
}

/** The document, in Markdown. */
export function report({ root, bundle, starts }: Measured): string {
  return [
    '# Cold start of the API function',
    'Written by `npm run bench:cold-start -- --write`; what is measured, and what it leaves out, is in\n' +
      '[bench/cold-start](../bench/cold-start/README.md).',
    machine(root),
    '## Size',
    sizeOf(bundle),
    shares(bundle),
    '## Time to the first answer',
    `Milliseconds, median of ${ROUNDS} new processes (lowest – highest).`,
    times(starts),
    '## What is ours',
    'Milliseconds to the first answer, the median of ours less that of each baseline.',
    differences(starts),
  ]
    .join('\n\n')
    .concat('\n');
}

function machine(root: string): string {
  const [load = 0] = loadavg();
  return [
    `- date: ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `- CPU: ${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} cores`,
    `- kernel: Linux ${release()}; load after the run: ${load.toFixed(2)}`,
    `- Node.js ${process.version}; Stowage at commit ${commit(root)}`,
    '- command: `npm run bench:cold-start`',
  ].join('\n');
}

function commit(root: string): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', ['--no-optional-locks', '-C', root, ...args], {
        encoding: 'utf8',
        stdio: 'pipe',
      }).trim();
    const changes = git('status', '--porcelain', '--', 'functions', 'lib', 'package-lock.json');
    return `${git('rev-parse', '--short', 'HEAD')}${changes === '' ? '' : ', with changes that are not committed'}`;
  } catch {
    return 'unknown';
  }
}

function sizeOf({ bytes, deflatedBytes, bytesAtStart }: Bundle): string {
  const verdict = bytes < MAX_BUNDLE_BYTES ? 'below' : 'NOT below';
  const [all, zipped, atStart] = [bytes, deflatedBytes, bytesAtStart].map(kilobytes);
  return [
    `The function is ${all} kB of minified code, SDK included, and ${zipped} kB in a zip; ${atStart} kB of it are read`,
    `before anything can be answered. The whole is ${verdict} the limit of ${kilobytes(MAX_BUNDLE_BYTES)} kB, at which the command fails.`,
  ].join('\n');
}

function shares({ packages, bytes }: Bundle): string {
  const others = packages.slice(MAX_NAMED);
  const rest = { name: `${others.length} more`, bytes: others.reduce((sum, share) => sum + share.bytes, 0) };
  const rows = [...packages.slice(0, MAX_NAMED), rest].map((share) => [
    share.name,
    kilobytes(share.bytes),
    `${((100 * share.bytes) / bytes).toFixed(0)} %`,
  ]);
  return table(['package', 'kB', 'share'], rows, 1);
}

function times(starts: Measured['starts']): string {
  const rows = [...starts].map(([{ subject }, of]) => [
    subject.title,
    spread(of.map(({ boot }) => boot)),
    spread(of.map(({ load }) => load)),
    spread(of.map(({ answer }) => answer)),
    spread(of.map(({ total }) => total)),
  ]);
  return table(['new process', 'Node.js starts', 'code loads', 'first answer', 'all'], rows, 1);
}

/** The medians of ours, less those of each baseline. */
function differences(starts: Measured['starts']): string {
  const medians = [...starts].map(([{ subject }, of]) => ({
    subject,
    total: median(of.map(({ total }) => total)),
  }));
  const baselines = medians.filter(({ subject }) => subject.baseline);
  const rows = medians
    .filter(({ subject }) => !subject.baseline)
    .map(({ subject, total }) => [
      subject.title,
      ...baselines.map((baseline) => signed(total - baseline.total)),
    ]);
  return table(['new process', ...baselines.map(({ subject }) => `less ${subject.title}`)], rows, 1);
}

const kilobytes = (bytes: number) => (bytes / 1000).toFixed(1);

const signed = (value: number) => `${value < 0 ? '–' : '+'}${Math.abs(value).toFixed(1)}`;
