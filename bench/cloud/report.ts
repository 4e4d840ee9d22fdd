import { quantile } from '../statistics.ts';
import { table } from '../table.ts';
import type { Outcome, RowResult } from './run.ts';
import type { Stored } from './stored.ts';

const NOTHING = '–';

/** What each family stores for the same image. */
export interface StoredResult {
  readonly title: string;
  readonly name: string;
  readonly stored: Stored;
}

/** The comparison in Markdown: times, calls, bytes. */
export function cloudReport(
  results: readonly RowResult[],
  stored: readonly StoredResult[],
  skipped: readonly string[],
): string {
  const [first, again] = [false, true].map((is) =>
    results.filter(({ row: { isAgain = false } }) => isAgain === is),
  ) as [RowResult[], RowResult[]];
  const sections = [
    '### Times',
    'Milliseconds: p50 (p99) of the samples. A ratio is the p50 of the CNCF registry over that of Stowage.',
    times(first),
    verdict(first),
    ...notesOf(first),
    ...(again.length > 0
      ? ['### Asked again', 'What the same process was asked for a moment ago.', times(again)]
      : []),
    ...skipped.map((what) => `Not measured: ${what}.`),
    '### Calls to the stores',
    'By one operation, on an average.',
    calls(results),
    '### What is stored',
    storedTable(stored),
  ];
  return sections.join('\n\n');
}

function times(results: readonly RowResult[]): string {
  const [first] = results;
  const sites = first?.outcomes.map(({ site }) => site) ?? [];
  const [ours, theirs] = [sites.filter(isOurs), sites.filter((site) => !isOurs(site))];
  const pairs = theirs.flatMap((their) => ours.map((our) => ({ our, their })));
  const titles = [
    'operation',
    ...sites.map(({ name }) => name),
    ...pairs.map(({ our, their }) => `${their.name} / ${our.name}`),
  ];
  const rows = results.map(({ row, outcomes }) => [
    row.title,
    ...outcomes.map(({ samples }) => figures(samples)),
    ...pairs.map(({ our, their }) => {
      const [over, under] = [their, our].map(({ id }) => outcomes.find(({ site }) => site.id === id));
      return ratioText(ratioOf(over, under));
    }),
  ]);
  return table(titles, rows, 1);
}

const isOurs = ({ family }: Outcome['site']) => family === 'stowage';

const ratioText = (ratio: number | undefined) => (ratio === undefined ? NOTHING : `${ratio.toFixed(1)} ×`);

function ratioOf(over: Outcome | undefined, under: Outcome | undefined): number | undefined {
  if (!over?.samples.length || !under?.samples.length) return undefined;
  return quantile(over.samples, 0.5) / quantile(under.samples, 0.5);
}

/** Where we are behind, and where we are less far ahead than we want to be. */
function verdict(results: readonly RowResult[]): string {
  const lines = results.flatMap(({ row, outcomes }) => {
    const { goal = 1 } = row;
    const [ours, theirs] = [
      outcomes.filter(({ site }) => isOurs(site)),
      outcomes.filter(({ site }) => !isOurs(site)),
    ];
    return ours.flatMap((our) =>
      theirs.flatMap((their) => {
        const ratio = ratioOf(their, our);
        if (ratio === undefined || ratio >= goal) return [];
        return `${row.title}: ${our.site.name} is ${ratioText(ratio)} as fast as ${their.site.name}, and ${goal} × is the goal`;
      }),
    );
  });
  return lines.length === 0
    ? 'Every goal is met.'
    : `Below the goal:\n\n${lines.map((line) => `- ${line}`).join('\n')}`;
}

const notesOf = (results: readonly RowResult[]) =>
  results.flatMap(({ row, notes }) => notes.map((note) => `${row.title}: ${note}.`));

function calls(results: readonly RowResult[]): string {
  const rows = results.flatMap(({ row, outcomes }) =>
    outcomes
      .filter(({ samples }) => samples.length > 0)
      .map(({ site, calls }, index) => [index === 0 ? row.title : '', site.name, callsText(calls)]),
  );
  return table(['operation', 'registry', 'calls'], rows, 3);
}

function callsText(calls: Outcome['calls']): string {
  const entries = Object.entries(calls).filter(([, count]) => count >= 0.005);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  return `${rounded(total)}: ${entries.map(([name, count]) => `${rounded(count)} ${name}`).join(', ')}`;
}

const rounded = (count: number) => String(Number(count.toFixed(count < 10 ? 2 : 0)));

function storedTable(stored: readonly StoredResult[]): string {
  const rows = stored.map(({ title, name, stored: { objects, objectBytes, items, itemBytes } }) => [
    title,
    name,
    ...[objects, objectBytes, items, itemBytes].map((count) => count.toLocaleString('en')),
  ]);
  return table(['', 'registry', 'objects in S3', 'their bytes', 'items in DynamoDB', 'their bytes'], rows, 2);
}

function figures(samples: readonly number[]): string {
  if (samples.length === 0) return NOTHING;
  return `${milliseconds(quantile(samples, 0.5))} (${milliseconds(quantile(samples, 0.99))})`;
}

const milliseconds = (value: number) =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(value < 100 ? 1 : 0);
