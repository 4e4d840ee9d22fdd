import type { Command } from 'commander';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { onRegistry, type Session } from '../session.ts';
import { repositoryValue } from '../values.ts';
import { addHoldCommands } from './holds.ts';
import { previewRetention } from './previews.ts';

export function addRetentionCommand(program: Command): void {
  const retention = program
    .command('retention')
    .description('what policies would delete of a repository, and why')
    .argument('<repository>', '', repositoryValue)
    .option('--all', 'what they keep, too')
    .action(
      onRegistry((session: Session, name: RepositoryName, { all = false }: { readonly all?: boolean }) =>
        previewRetention(session, name, all),
      ),
    );
  addHoldCommands(retention);
}
