import { type Command, Option } from 'commander';
import type { AuditRecord } from '../../api/types.ts';
import { onRegistry, type Session } from '../session.ts';
import { countValue, operationValue, repositoryValue, timeValue } from '../values.ts';

const DEFAULT_LIMIT = 100;

export function addAuditCommand(program: Command): void {
  program
    .command('audit')
    .description('who did what, when and from where; the newest first')
    .option('--since <time>', "from then on: '24h', '7d', '2026-01-31' (default: 7d)", timeValue)
    .option('--until <time>', 'before then', timeValue)
    .option('--principal <who>', "such as 'user:alice' or 'robot:ci'")
    .option('--repository <name>', 'in one repository; its admins may see that', repositoryValue)
    .addOption(
      new Option('--outcome <outcome>', 'with one outcome').choices(['allowed', 'refused', 'failed']),
    )
    .option(
      '--operation <name>',
      "one operation, such as 'manifest.put', or all of a kind: 'user', 'policy'",
      operationValue,
    )
    .option('--all', 'with the tokens that were issued: at each login, push, pull and command')
    .option('-n, --limit <number>', 'show at most so many', countValue, DEFAULT_LIMIT)
    .action(onRegistry(showAudit));
}

/** Each command of ours asks for a token, and so does each push and pull: what is done with them is in the trail by itself. */
const TOKENS = 'token.issue';

interface AuditOptions {
  readonly since?: Date;
  readonly until?: Date;
  readonly principal?: string;
  readonly repository?: string;
  readonly outcome?: string;
  readonly operation?: string;
  readonly all?: boolean;
  readonly limit: number;
}

async function showAudit({ api, output }: Session, options: AuditOptions): Promise<void> {
  const { since, until, limit, principal, repository, outcome, operation, all } = options;
  const isShort = !all && operation === undefined;
  const query = {
    principal,
    repository,
    outcome,
    operation,
    without: isShort ? TOKENS : undefined,
    since: since?.toISOString(),
    until: until?.toISOString(),
  };
  const { entries, isCut } = await api.list<AuditRecord>('/audit', 'records', { query, most: limit });
  output.list('records', entries, {
    TIME: ({ time }) => time.slice(0, 19).replace('T', ' '),
    PRINCIPAL: (record) => record.principal,
    OPERATION: ({ operation }) => operation,
    OUTCOME: ({ outcome, status, count }) =>
      `${outcome} ${status}${count === undefined ? '' : ` (${count} times)`}`,
    REPOSITORY: (record) => record.repository,
    TARGET: ({ target }) => target,
    ADDRESS: ({ address }) => address,
  });
  if (isShort)
    output.say('without the tokens that were issued; see them with --all, or --operation token.issue');
  if (isCut) output.say(`there are more; see them with --limit ${limit * 10}, or --until`);
}
