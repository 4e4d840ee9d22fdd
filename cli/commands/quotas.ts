import type { Command } from 'commander';
import type { QuotaUse } from '../../api/types.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { onRegistry, type Session } from '../session.ts';
import { sizeText, timeText } from '../text.ts';
import { repositoryValue } from '../values.ts';

/** From here on it is said that little is left. */
const MUCH = 80;

export function addQuotaCommand(program: Command): void {
  program
    .command('quota')
    .description('how much of quotas is in use')
    .argument('[repository]', 'one repository (default: what policies count together)', repositoryValue)
    .option('--policy <name>', 'of one policy')
    .option('--fresh', 'count the repository once more: deletes show only then')
    .action(onRegistry(showQuotas));
}

interface QuotaOptions {
  readonly policy?: string;
  readonly fresh?: boolean;
}

async function showQuotas(
  { api, output }: Session,
  name: RepositoryName | undefined,
  { policy, fresh = false }: QuotaOptions,
): Promise<void> {
  const { quotas: all } =
    name === undefined
      ? await api.get<{ quotas: QuotaUse[] }>('/quotas', { policy })
      : await api.get<{ quotas: QuotaUse[] }>(`/repositories/${name}/-/quota`, { fresh: `${fresh}` });
  const quotas = all.filter((quota) => policy === undefined || quota.policy === policy);
  output.list('quotas', quotas, {
    POLICY: (quota) => quota.policy,
    OF: ({ scope }) => (scope === 'each' ? 'the repository' : 'all together'),
    USED: ({ kind, used }) => (used === undefined ? 'not counted yet' : amountText(kind, used)),
    LIMIT: ({ kind, limit }) => amountText(kind, limit),
    PERCENT: ({ percent }) => (percent === undefined ? undefined : `${percent} %`),
    COUNTED: ({ countedAt }) => timeText(countedAt),
  });
  for (const { policy: by, kind, percent = 0 } of quotas)
    if (percent >= MUCH) output.say(`${percent} % of the ${kind} that ${by} allows are in use`);
}

const amountText = (kind: string, amount: number) => (kind === 'bytes' ? sizeText(amount) : `${amount} tags`);
