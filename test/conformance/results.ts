import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What the program says of an API or a data set as a whole. */
export type Verdict = 'Pass' | 'FAIL' | 'Skip' | 'Disabled' | 'Error';

/** One check that did not pass, with the program's reason for it. */
interface Complaint {
  readonly check: string;
  readonly status: string;
  readonly reason: string;
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly disabled: number;
}

/** What is asked of a registry, and which one. */
export interface Question {
  /** What the registry runs on, as in STOWAGE_TARGET. */
  readonly target: string;
  /** Of the specification. */
  readonly version: string;
}

/** What one run of the program found out. */
export interface Results extends Question {
  readonly counts: Counts;
  readonly apis: ReadonlyMap<string, Verdict>;
  readonly dataSets: ReadonlyMap<string, Verdict>;
  /** Counts by the part of the program, such as `sha256 blobs` or `nested-index`. */
  readonly parts: ReadonlyMap<string, PartCounts>;
  readonly complaints: readonly Complaint[];
}

/** A check of a part that is switched off cannot be told from a skipped one. */
interface PartCounts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Reads the `results.yaml` and `junit.xml` that the program left in `directory`. */
export async function readResults({ target, version }: Question, directory: string): Promise<Results> {
  const yaml = await readFile(join(directory, 'results.yaml'), 'utf8');
  const xml = await readFile(join(directory, 'junit.xml'), 'utf8');
  const cases = [...testCases(xml)];
  return {
    target,
    version,
    counts: countsOf(xml),
    apis: verdicts(yaml, 'apis'),
    dataSets: verdicts(yaml, 'data'),
    parts: partsOf(cases),
    complaints: cases.filter(({ status }) => status !== 'passed'),
  };
}

/** A top-level mapping of the file, which the program writes as plain `  name: status` lines. */
function verdicts(yaml: string, section: string): Map<string, Verdict> {
  const lines = new RegExp(`^${section}:\\n((?:  .*\\n?)*)`, 'm').exec(yaml)?.[1] ?? '';
  const entries = [...lines.matchAll(/^ {2}(.+): (\w+)$/gm)];
  if (entries.length === 0) throw new Error(`results.yaml has no ${section}`);
  return new Map(entries.map(([, name = '', verdict]) => [name, verdict as Verdict]));
}

function countsOf(xml: string): Counts {
  const suite = /<testsuite name=[^>]*>/.exec(xml)?.[0];
  if (suite === undefined) throw new Error('junit.xml has no suite');
  const number = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const [failed, skipped, disabled] = [
    number('failures') + number('errors'),
    number('skipped'),
    number('disabled'),
  ];
  return { passed: number('tests') - failed - skipped - disabled, failed, skipped, disabled };
}

function* testCases(xml: string): Generator<Complaint> {
  for (const [element, name = '', status = ''] of xml.matchAll(
    /<testcase name="([^"]*)"[^>]* status="(\w+)"[^>]*>[\s\S]*?<\/testcase>/g,
  )) {
    const reason = /<system-out>([\s\S]*?)<\/system-out>/.exec(element)?.[1] ?? '';
    yield { check: unescapeXml(name).replace(/^[^/]*\//, ''), status, reason: unescapeXml(reason) };
  }
}

function partsOf(cases: readonly Complaint[]): Map<string, PartCounts> {
  const parts = new Map<string, PartCounts>();
  for (const { check, status } of cases) {
    const part = check.replace(/\/.*/, '');
    const counts = parts.get(part) ?? { passed: 0, failed: 0, skipped: 0 };
    parts.set(part, counts);
    if (status === 'passed') counts.passed += 1;
    else if (status === 'skipped') counts.skipped += 1;
    else counts.failed += 1;
  }
  return parts;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9A-Fa-f]+)|#(\d+)|(\w+));/g, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name] ?? whole;
  });
}
