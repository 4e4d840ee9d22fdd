import { Argument, type Command, InvalidArgumentError } from 'commander';
import type { SubjectGrant } from '../../api/types.ts';
import { onRegistry, type Session } from '../session.ts';
import { ACTIONS, grantText } from '../values.ts';

const SUBJECT = 'user:NAME, robot:NAME or group:NAME';

export function addGrantCommands(program: Command): void {
  const grant = program.command('grant').description('who may do what in which repositories');
  grant.command('list [subject]').description(`list grants, of ${SUBJECT}`).action(onRegistry(listGrants));
  grant
    .command('add')
    .description(
      'set what somebody may do in the repositories of a pattern; only admins learn whether they exist',
    )
    .argument('<subject>', SUBJECT, subjectValue)
    .argument('<pattern>', "a repository, or many: 'team-a/*'")
    .addArgument(new Argument('<actions...>', 'what is allowed; push includes pull').choices(ACTIONS))
    .action(onRegistry(addGrant));
  grant
    .command('remove')
    .description('take back all that somebody may do by a pattern')
    .argument('<subject>', SUBJECT, subjectValue)
    .argument('<pattern>', 'as in the list')
    .action(onRegistry(removeGrant));
}

function subjectValue(text: string): string {
  if (/^(?:user|robot|group):./.test(text)) return text;
  throw new InvalidArgumentError(`It is ${SUBJECT}.`);
}

async function listGrants({ api, output }: Session, subject: string | undefined): Promise<void> {
  const { entries } = await api.list<SubjectGrant>('/grants', 'grants', { query: { subject } });
  output.list('grants', entries, {
    SUBJECT: (grant) => grant.subject,
    PATTERN: ({ pattern }) => pattern,
    ACTIONS: ({ actions }) => actions.join(' '),
  });
}

async function addGrant(
  { api, output }: Session,
  subject: string,
  pattern: string,
  actions: readonly string[],
): Promise<void> {
  const grant = await api.put<SubjectGrant>('/grants', { subject, pattern, actions });
  output.done(grant, `${subject} now has ${grantText(grant)}`);
}

async function removeGrant({ api, output }: Session, subject: string, pattern: string): Promise<void> {
  await api.delete('/grants', { subject, pattern });
  output.say(`${subject} has no grant for ${pattern} any more`);
}
