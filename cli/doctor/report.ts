import { table } from '../text.ts';
import type { Examined } from './examine.ts';
import { EVERY_FAMILY, FAMILIES, type Family } from './families.ts';
import type { Verdict } from './finding.ts';
import type { ClientSummary } from './summary.ts';

/** What `--json` prints; docs/doctor.md describes it. */
export interface Report {
  /** Of this form. */
  readonly version: 1;
  readonly registry: string;
  readonly startedAt: string;
  readonly seconds: number;
  /** Whether no probe failed. */
  readonly passed: boolean;
  readonly counts: Readonly<Record<Verdict, number>>;
  readonly probes: readonly Examined[];
  readonly clients: readonly ClientSummary[];
  readonly repository: {
    readonly name: string;
    readonly state: 'deleted' | 'left' | 'never made';
    readonly says: string;
  };
}

const WORDS: Readonly<Record<Verdict, string>> = {
  ok: 'ok',
  warning: 'warning',
  failed: 'FAILED',
  skipped: 'skipped',
};

const [VERDICT_WIDTH, NAME_WIDTH] = [9, 18];
const INDENT = ' '.repeat(VERDICT_WIDTH);

/** One probe, for people: a line, and under a failure what it means and what to do. */
export function probeText({ name, verdict, says, affects = [], means, cure }: Examined): string {
  const line = `${WORDS[verdict].padEnd(VERDICT_WIDTH)}${name.padEnd(NAME_WIDTH)}${says}\n`;
  const more = [
    affects.length > 0 && `for ${affectsText(affects)}`,
    means && `it means: ${means}`,
    cure && `what to do: ${cure}`,
  ];
  return line + more.map((text) => (text ? `${INDENT}${text}\n` : '')).join('');
}

const affectsText = (affects: readonly Family[]) =>
  affects.length === EVERY_FAMILY.length
    ? 'every client'
    : affects.map((family) => FAMILIES[family]).join('; ');

/** The end of the report, for people. */
export function closingText({ counts, clients, repository }: Report): string {
  const rows = clients.map((one) => [one.clients, one.says]);
  const total = (['ok', 'warning', 'failed', 'skipped'] as const).map(
    (verdict) => `${counts[verdict]} ${verdict}`,
  );
  return `\n${table(['CLIENTS', 'CAN PUSH'], rows)}\n${total.join(', ')}; ${repository.says}\n`;
}

export function countVerdicts(probes: readonly Examined[]): Report['counts'] {
  const count = (verdict: Verdict) => probes.filter((probe) => probe.verdict === verdict).length;
  return { ok: count('ok'), warning: count('warning'), failed: count('failed'), skipped: count('skipped') };
}
