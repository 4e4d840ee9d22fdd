import type { Command } from 'commander';
import type { RetentionHold } from '../../api/types.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { onRegistry, type Session } from '../session.ts';
import { timeText } from '../text.ts';
import { dateValue, type Held, heldValue, repositoryValue } from '../values.ts';

export function addHoldCommands(retention: Command): void {
  retention
    .command('hold')
    .description('keep a manifest, what belongs to it, and the tags on it from retention')
    .argument('<what>', 'REPOSITORY@DIGEST', heldValue)
    .requiredOption('--reason <text>', 'why, for whoever finds it')
    .option('--until <date>', 'its end (default: when somebody releases it)', (text: string) =>
      dateValue(text),
    )
    .action(onRegistry(hold));
  retention
    .command('holds')
    .description('list what is held of a repository')
    .argument('<repository>', '', repositoryValue)
    .action(onRegistry(listHolds));
  retention
    .command('release')
    .description('end a hold')
    .argument('<what>', 'REPOSITORY@DIGEST', heldValue)
    .action(onRegistry(release));
}

const pathTo = ({ repository, digest }: Held) => `/repositories/${repository}/-/holds/${digest}`;

async function hold(
  { api, output }: Session,
  what: Held,
  { reason, until }: { readonly reason: string; readonly until?: Date },
): Promise<void> {
  await api.put(pathTo(what), { reason, ...(until && { until: until.toISOString() }) });
  output.say(`held ${what.digest}`);
}

async function listHolds({ api, output }: Session, name: RepositoryName): Promise<void> {
  const { holds } = await api.get<{ holds: RetentionHold[] }>(`/repositories/${name}/-/holds`);
  output.list('holds', holds, {
    DIGEST: ({ digest }) => digest,
    UNTIL: ({ until, inForce }) => `${until ? timeText(until) : 'released'}${inForce ? '' : ' (over)'}`,
    BY: ({ by }) => by,
    WHY: ({ reason }) => reason,
  });
}

async function release({ api, output }: Session, what: Held): Promise<void> {
  await api.delete(pathTo(what));
  output.say(`released ${what.digest}`);
}
