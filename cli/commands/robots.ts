import type { Command } from 'commander';
import type { Grant, Robot } from '../../api/types.ts';
import { pathOf } from '../api.ts';
import { onRegistry, type Session } from '../session.ts';
import { facts, timeText } from '../text.ts';
import {
  countValue,
  dateValue,
  grantsText,
  grantValue,
  many,
  spanValue,
  type Validity,
  validUntil,
} from '../values.ts';

export function addRobotCommands(program: Command): void {
  const robot = program.command('robot').description('programs that log in, as robot/NAME');
  robot.command('list').description('list all robots').action(onRegistry(listRobots));
  robot
    .command('create <name>')
    .description('make a robot and print its secret, which is shown once')
    .requiredOption(
      '--grant <pattern:actions>',
      "what it may do, such as 'team-a/*:pull,push' (repeatable)",
      many(grantValue),
    )
    .option('--description <text>', 'what it is for')
    .option('--days <number>', 'let its secret end after so many days', countValue)
    .option('--until <date>', 'let its secret end at this time', (text) => dateValue(text))
    .action(onRegistry(createRobot));
  robot.command('show <name>').description('show a robot').action(onRegistry(showRobot));
  robot
    .command('renew <name>')
    .description(
      'print a new secret; the old one is void at once, unless --overlap says for how long it works beside it',
    )
    .option('--overlap <duration>', "let the old secret in for so long, such as '24h' or '7d'", spanValue)
    .option('--days <number>', 'let it end after so many days', countValue)
    .option('--until <date>', 'let it end at this time', (text) => dateValue(text))
    .action(onRegistry(renewRobot));
  robot
    .command('disable <name>')
    .description('refuse all logins of a robot')
    .action(onRegistry((session, name: string) => setDisabled(session, name, true)));
  robot
    .command('enable <name>')
    .description('let a disabled robot log in again')
    .action(onRegistry((session, name: string) => setDisabled(session, name, false)));
  robot.command('delete <name>').description('delete a robot').action(onRegistry(deleteRobot));
}

async function listRobots({ api, output }: Session): Promise<void> {
  const { entries } = await api.list<Robot>('/robots', 'robots');
  output.list('robots', entries, {
    LOGIN: ({ login }) => login,
    STATE: stateOf,
    GRANTS: ({ grants }) => grantsText(grants),
    'LAST USED': ({ lastUsedAt }) => timeText(lastUsedAt),
    'VALID UNTIL': ({ validUntil: end }) => timeText(end),
    DESCRIPTION: ({ description }) => description,
  });
}

function stateOf({ disabled, validUntil: end }: Robot): string {
  if (disabled) return 'disabled';
  return end !== undefined && Date.parse(end) <= Date.now() ? 'ended' : 'enabled';
}

interface CreateOptions extends Validity {
  readonly description?: string;
  readonly grant: readonly Grant[];
}

interface RobotSecret {
  readonly robot: Robot;
  readonly secret: string;
}

async function createRobot({ api, output }: Session, name: string, options: CreateOptions): Promise<void> {
  const { description, grant: grants } = options;
  const made = await api.post<RobotSecret>('/robots', { name, description, grants, ...validUntil(options) });
  output.secret(made, made.secret, `made robot ${made.robot.login}; its secret is shown once:`);
}

async function showRobot({ api, output }: Session, name: string): Promise<void> {
  const robot = await api.get<Robot>(pathOf`/robots/${name}`);
  output.result(robot, () =>
    facts([
      ['login', robot.login],
      ['description', robot.description],
      ['state', stateOf(robot)],
      ['grants', grantsText(robot.grants)],
      ['created', `${timeText(robot.createdAt)} by ${robot.createdBy}`],
      ['last used', timeText(robot.lastUsedAt)],
      ['valid until', timeText(robot.validUntil)],
      ['old secret until', timeText(robot.formerValidUntil)],
    ]),
  );
}

interface RenewOptions extends Validity {
  /** Milliseconds. */
  readonly overlap?: number;
}

async function renewRobot({ api, output }: Session, name: string, options: RenewOptions): Promise<void> {
  const { overlap } = options;
  const former = overlap && { formerValidUntil: new Date(Date.now() + overlap).toISOString() };
  const renewed = await api.post<RobotSecret>(pathOf`/robots/${name}/secret`, {
    ...validUntil(options),
    ...former,
  });
  const { login, formerValidUntil: end } = renewed.robot;
  const old = end === undefined ? 'the old one is void' : `the old one works until ${timeText(end)}`;
  output.secret(renewed, renewed.secret, `renewed ${login}; ${old}; the new secret is shown once:`);
}

async function setDisabled({ api, output }: Session, name: string, disabled: boolean): Promise<void> {
  const robot = await api.patch<Robot>(pathOf`/robots/${name}`, { disabled });
  output.done(robot, `${disabled ? 'disabled' : 'enabled'} robot ${name}`);
}

async function deleteRobot({ api, output }: Session, name: string): Promise<void> {
  await api.delete(pathOf`/robots/${name}`);
  output.say(`deleted robot ${name}`);
}
