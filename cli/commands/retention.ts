import type { Command } from 'commander';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { Finding } from '../api-types.ts';
import { onRegistry, type Session } from '../session.ts';
import { repositoryValue } from '../values.ts';
import { addHoldCommands } from './holds.ts';

export function addRetentionCommand(program: Command): void {
  const retention = program
    .command('retention')
    .description('what policies would delete of a repository, and why')
    .argument('<repository>', '', repositoryValue)
    .option('--all', 'what they keep, too')
    .action(onRegistry(showRetention));
  addHoldCommands(retention);
}

async function showRetention(
  { api, output }: Session,
  name: RepositoryName,
  { all = false }: { readonly all?: boolean },
): Promise<void> {
  const { entries } = await api.list<Finding>(`/repositories/${name}/-/retention`, 'findings');
  const going = entries.filter(({ action }) => action === 'delete');
  output.list('findings', all ? entries : going, {
    ACTION: ({ action }) => (action === 'keep' ? 'stays' : 'would go'),
    WHAT: ({ kind, tag, digest }) => `${kind} ${tag ?? digest}`,
    WHY: ({ reason }) => reason,
  });
  output.say(
    entries.length === 0
      ? 'no policy says what to keep of it'
      : `${going.length} of ${entries.length} would go`,
  );
}
