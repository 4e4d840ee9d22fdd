import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Billed } from './meter.ts';

// Where what was measured is told: for people in docs/aws-calls.md, for `stowage cost` in cli/cost/measured.json.

const PAGE = join(import.meta.dirname, '../../docs/aws-calls.md');
const FILE = join(import.meta.dirname, '../../cli/cost/measured.json');

const TABLE = /(<!-- measured: [^\n]* -->\n)([\s\S]*?)(<!-- end -->)/;

type Operations = Readonly<Record<string, Billed>>;

export function measuredInFile(): unknown {
  return (JSON.parse(readFileSync(FILE, 'utf8')) as { operations: unknown }).operations;
}

export function measuredOnPage(): string | undefined {
  return TABLE.exec(readFileSync(PAGE, 'utf8'))?.[2];
}

export function pageTable(operations: Operations): string {
  const rows = Object.entries(operations).map(
    ([name, { calls, reads, writes, puts, gets }]) =>
      `| ${name} | ${calls} | ${reads} | ${writes} | ${puts} | ${gets} |`,
  );
  const heading = '| operation | calls | reads | writes | PUT | GET |\n| --- | --- | --- | --- | --- | --- |';
  return `${[heading, ...rows].join('\n')}\n`;
}

export function writeMeasured(operations: Operations): void {
  const origin = 'Written by test/aws/calls.test.ts with STOWAGE_WRITE_CALLS=1; do not edit.';
  writeFileSync(FILE, `${JSON.stringify({ origin, operations }, null, 2)}\n`);
  const page = readFileSync(PAGE, 'utf8');
  writeFileSync(
    PAGE,
    page.replace(TABLE, (_, start, __, end) => `${start}${pageTable(operations)}${end}`),
  );
}
