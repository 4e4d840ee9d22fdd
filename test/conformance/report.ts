import type { Counts, Question, Results, Verdict } from './results.ts';

/** Why the program leaves something out by itself. What is not in this list must not be disabled. */
const DISABLED: Readonly<Record<string, string>> = {
  'Sparse Manifests':
    "off by the program's default: the specification lets a registry refuse a manifest whose blobs or children it does not have, and this one does (MANIFEST_BLOB_UNKNOWN)",
  'Blob upload cancel': 'asked of `dev` only: it is not in version 1.1',
  'Manifest put with tag params': 'asked of `dev` only: it is not in version 1.1',
  'Tag Param': 'asked of `dev` only: it is not in version 1.1',
  'Tag Param sha512': 'asked of `dev` only: it is not in version 1.1',
};

type Table = readonly (readonly string[])[];

/** What each target is, for a reader of the page. */
const TARGETS: Readonly<Record<string, string>> = {
  embedded: 'one process and a directory, as `npm start` runs it',
  aws: 'the same process on DynamoDB and S3',
  front:
    'a deployment behind its front door: CloudFront, the Lambda functions behind an HTTP API, DynamoDB and S3',
  'front-full': 'the same with a stream host, and with downloads through CloudFront',
};

/** Failures, skips, and whatever is disabled without a reason in the list above. */
export function problems(results: readonly Results[]): readonly string[] {
  return results.flatMap(({ apis, dataSets, counts, complaints, ...question }) => {
    const asked = titleOf(question);
    const verdicts = [...apis, ...dataSets].filter(([name, verdict]) => !isFine(name, verdict));
    const checks = counts.failed + counts.skipped === 0 ? [] : complaints;
    return [
      ...verdicts.map(([name, verdict]) => `${asked}: ${name}: ${verdict}`),
      ...checks.map(({ check, status, reason }) => `${asked}: ${check}: ${status}: ${oneLine(reason)}`),
      ...(counts.passed === 0 ? [`${asked}: no check passed`] : []),
    ];
  });
}

function isFine(name: string, verdict: Verdict): boolean {
  return verdict === 'Pass' || (verdict === 'Disabled' && name in DISABLED);
}

const MAX_REASON_CHARACTERS = 300;

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, MAX_REASON_CHARACTERS);
}

export function totalOf(results: readonly Results[]): Counts {
  const sum = (count: (counts: Counts) => number) =>
    results.reduce((total, { counts }) => total + count(counts), 0);
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    skipped: sum(({ skipped }) => skipped),
    disabled: sum(({ disabled }) => disabled),
  };
}

function titleOf({ target, version }: Question): string {
  return `${target} ${version}`;
}

function checkTable(results: readonly Results[]): Table {
  const row = ({ target, version, counts }: Results) =>
    [target, version, counts.passed, counts.failed, counts.skipped, counts.disabled].map(String);
  return [['target', 'version', 'passed', 'failed', 'skipped', 'disabled'], ...results.map(row)];
}

function verdictTable(
  title: string,
  results: readonly Results[],
  of: (r: Results) => ReadonlyMap<string, Verdict>,
): Table {
  const names = new Set(results.flatMap((result) => [...of(result).keys()]));
  const rows = [...names].map((name) => [name, ...results.map((result) => of(result).get(name) ?? 'absent')]);
  return [[title, ...results.map(titleOf)], ...rows];
}

function partTable(results: readonly Results[]): Table {
  const names = new Set(results.flatMap(({ parts }) => [...parts.keys()]));
  const cell = (result: Results, name: string) => {
    const { passed, failed, skipped } = result.parts.get(name) ?? { passed: 0, failed: 0, skipped: 0 };
    return `${passed} / ${failed} / ${skipped}`;
  };
  const rows = [...names].map((name) => [name, ...results.map((result) => cell(result, name))]);
  return [['cases passed / failed / not run', ...results.map(titleOf)], ...rows];
}

function tablesOf(results: readonly Results[]): readonly Table[] {
  return [
    checkTable(results),
    verdictTable('API', results, ({ apis }) => apis),
    verdictTable('data set', results, ({ dataSets }) => dataSets),
    partTable(results),
  ];
}

/** The tables as plain text, columns aligned. */
export function asText(results: readonly Results[]): string {
  return tablesOf(results).map(alignedTable).join('\n\n');
}

function alignedTable(table: Table): string {
  const widths = widthsOf(table);
  return table.map((row) => padded(row, widths).join('  ').trimEnd()).join('\n');
}

function widthsOf(table: Table): readonly number[] {
  const columns = table[0] ?? [];
  return columns.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
}

function padded(cells: readonly string[], widths: readonly number[]): readonly string[] {
  return cells.map((cell, column) => cell.padEnd(widths[column] ?? 0));
}

function markdownTable(table: Table): string {
  const widths = widthsOf(table);
  const rule = widths.map((width) => '-'.repeat(width));
  const [head = [], ...rows] = table;
  const line = (cells: readonly string[]) => `| ${padded(cells, widths).join(' | ')} |`;
  return [head, rule, ...rows].map(line).join('\n');
}

interface Page {
  readonly results: readonly Results[];
  /** What was run: the module and its version. */
  readonly program: string;
  readonly date: string;
}

/** The page `docs/conformance.md`. */
export function asMarkdown({ results, program, date }: Page): string {
  const disabled = [
    ...new Set(
      results
        .flatMap(({ apis, dataSets }) => [...apis, ...dataSets])
        .filter(([, verdict]) => verdict === 'Disabled')
        .map(([name]) => name),
    ),
  ];
  const { passed, failed, skipped } = totalOf(results);
  const targets = [...new Set(results.map(({ target }) => target))];
  const [checks = [], apis = [], dataSets = []] = tablesOf(results);
  return `# Conformance

The official conformance program of the OCI distribution specification, run on ${date} against the registry on each of its
targets: **${passed} passed, ${failed} failed, ${skipped} skipped**. Written by

    npm run conformance -- --write --all-targets

which starts registries of its own; without \`--all-targets\` it asks the one that \`STOWAGE_TARGET\` or \`STOWAGE_URL\` names.
It needs Go, and runs

    ${program}

once for version 1.1 of the specification and once for \`dev\`, the state of its main branch, logged in as the first admin of a
registry with users (\`OCI_USERNAME\`, \`OCI_PASSWORD\`). A failure or a skip makes the command fail, and so does anything
disabled that is not explained here.

${markdownTable(checks)}

${targets.map((name) => `- **${name}**: ${TARGETS[name] ?? 'the registry at that address'}`).join('\n')}

The servers that stand in for DynamoDB, S3 and the HTTP API run on the machine that tests.

## Disabled

Nothing is switched off by us. The program leaves these out by itself:

${disabled.map((name) => `- **${name}**: ${DISABLED[name] ?? 'not explained'}.`).join('\n')}

## Results

${markdownTable(apis)}

${markdownTable(dataSets)}
`;
}
