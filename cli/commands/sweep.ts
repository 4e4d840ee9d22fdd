import type { Command } from 'commander';
import type { Finding, Me, Repository, SweepResult } from '../../api/types.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { Failure } from '../failure.ts';
import { onRegistry, type Session } from '../session.ts';
import { sizeText } from '../text.ts';
import { repositoryValue } from '../values.ts';

export function addSweepCommand(program: Command): void {
  program
    .command('sweep')
    .description('delete what nothing uses any more')
    .argument('[repository]', 'one repository (default: all, for an admin of the registry)', repositoryValue)
    .option('--dry-run', 'only tell what would go, and why')
    .action(onRegistry(sweep));
}

interface SweepOptions {
  readonly dryRun?: boolean;
}

async function sweep(
  session: Session,
  name: RepositoryName | undefined,
  { dryRun = false }: SweepOptions,
): Promise<void> {
  const { api, output } = session;
  const names = name === undefined ? await allRepositories(session) : [name];
  const results: { readonly repository: string; readonly result: SweepResult }[] = [];
  for (const repository of names) {
    const result = await sweepToItsEnd(api, repository, dryRun);
    results.push({ repository, result });
    for (const note of result.notes ?? []) output.say(note);
    if (result.remaining) output.say(`${repository}: time ran out; this is what was looked at until then`);
  }
  const entries = results.flatMap(({ repository, result }) =>
    result.findings.map((finding) => ({ repository, ...finding })),
  );
  output.list('findings', entries, {
    REPOSITORY: ({ repository }) => repository,
    ACTION: ({ action }) => wordFor(action, dryRun),
    WHAT: describe,
    SIZE: ({ size }) => (size === undefined ? undefined : sizeText(size)),
    WHY: ({ reason }) => reason,
  });
  output.say(
    summaryOf(
      results.map(({ result }) => result),
      dryRun,
    ),
  );
}

const wordFor = (action: string, dryRun: boolean) =>
  action === 'keep' ? 'stays' : dryRun ? 'would go' : 'went';

const describe = ({ kind, tag, digest }: Finding) => `${kind} ${tag ?? digest}`;

async function allRepositories({ api }: Session): Promise<readonly string[]> {
  const { admin } = await api.get<Me>('/me');
  if (!admin) throw new Failure('name a repository: only an admin of the registry sweeps all of them');
  const { entries } = await api.list<Repository>('/repositories', 'repositories');
  return entries.map(({ name }) => name);
}

/** Asks again while the registry says that something remains. */
async function sweepToItsEnd(api: Session['api'], repository: string, dryRun: boolean): Promise<SweepResult> {
  let sum: SweepResult | undefined;
  do {
    const next = await api.post<SweepResult>(`/repositories/${repository}/-/sweep`, { dryRun });
    sum = sum ? added(sum, next) : next;
  } while (sum.remaining && !dryRun);
  return sum;
}

function added(sum: SweepResult, next: SweepResult): SweepResult {
  const deleted = { ...sum.deleted };
  for (const [kind, count] of Object.entries(next.deleted)) deleted[kind] = (deleted[kind] ?? 0) + count;
  return {
    remaining: next.remaining,
    findings: [...sum.findings, ...next.findings],
    deleted,
    notes: [...(sum.notes ?? []), ...(next.notes ?? [])],
    bytes: sum.bytes + next.bytes,
  };
}

/** `deleted 3 blobs (12.5 MiB), 4 edges` */
function summaryOf(results: readonly SweepResult[], dryRun: boolean): string {
  const total = results.reduce(added, { remaining: false, findings: [], deleted: {}, bytes: 0 });
  const counts = Object.entries(total.deleted).map(([kind, count]) => {
    const size = kind === 'blob' ? ` (${sizeText(total.bytes)})` : '';
    return `${count} ${kind}${count === 1 ? '' : 's'}${size}`;
  });
  const what = counts.length > 0 ? counts.join(', ') : 'nothing';
  return `${dryRun ? 'would delete' : 'deleted'} ${what}`;
}
