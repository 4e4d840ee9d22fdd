import type { Command } from 'commander';
import type { Grant, Me, User } from '../../api/types.ts';
import { pathOf } from '../api.ts';
import { Failure, misuse } from '../failure.ts';
import { refreshToken } from '../log-in.ts';
import { askNewPassword, askSecret, linesOfStdin, secretOfStdin } from '../prompt.ts';
import { keepLogin, savedLogin } from '../saved-logins.ts';
import { onRegistry, type Session } from '../session.ts';
import { facts, timeText } from '../text.ts';
import { asText, grantsText, grantValue, many } from '../values.ts';

export function addUserCommands(program: Command): void {
  const user = program.command('user').description('people who log in');
  user.command('list').description('list all users').action(onRegistry(listUsers));
  user
    .command('create <name>')
    .description('make a user; prints a generated password unless one is given')
    .option('--description <text>', 'who it is')
    .option('--password-stdin', 'take the password from standard input')
    .option(
      '--grant <pattern:actions>',
      "a grant, such as 'team-a/*:pull,push' (repeatable)",
      many(grantValue),
    )
    .option('--group <name>', 'a group to join (repeatable)', many(asText))
    .option('--admin', 'admin of the whole registry')
    .action(onRegistry(createUser));
  user.command('show <name>').description('show a user').action(onRegistry(showUser));
  user
    .command('disable <name>')
    .description('refuse all logins of a user, tokens included')
    .action(onRegistry((session, name: string) => setDisabled(session, name, true)));
  user
    .command('enable <name>')
    .description('let a disabled user log in again')
    .action(onRegistry((session, name: string) => setDisabled(session, name, false)));
  user.command('delete <name>').description('delete a user with their tokens').action(onRegistry(deleteUser));
  user
    .command('password [name]')
    .description('change your own password, or reset that of another user')
    .option(
      '--password-stdin',
      'take passwords from standard input: your current one and the new one, a line each; for another user the new one',
    )
    .action(onRegistry(changePassword));
}

async function listUsers({ api, output }: Session): Promise<void> {
  const { entries } = await api.list<User>('/users', 'users');
  output.list('users', entries, {
    NAME: ({ name }) => name,
    STATE: stateOf,
    GROUPS: ({ groups }) => groups.join(' '),
    GRANTS: ({ grants }) => grantsText(grants),
    DESCRIPTION: ({ description }) => description,
  });
}

const stateOf = ({ disabled }: { readonly disabled: boolean }) => (disabled ? 'disabled' : 'enabled');

interface CreateOptions {
  readonly description?: string;
  readonly passwordStdin?: boolean;
  readonly grant?: readonly Grant[];
  readonly group?: readonly string[];
  readonly admin?: boolean;
}

async function createUser({ api, output }: Session, name: string, options: CreateOptions): Promise<void> {
  const { description, passwordStdin, group: groups = [], admin } = options;
  const grants = [...(options.grant ?? []), ...(admin ? [{ pattern: '*', actions: ['admin'] }] : [])];
  const password = passwordStdin ? { password: await secretOfStdin() } : {};
  const request = { name, description, grants, groups, ...password };
  const made = await api.post<{ user: User; password?: string }>('/users', request);
  const hint = made.password === undefined ? '' : '; this password is shown once:';
  output.secret(made, made.password, `made user ${name}${hint}`);
}

async function showUser({ api, output }: Session, name: string): Promise<void> {
  const user = await api.get<User>(pathOf`/users/${name}`);
  output.result(user, () =>
    facts([
      ['name', user.name],
      ['description', user.description],
      ['state', stateOf(user)],
      ['groups', user.groups.join(' ')],
      ['grants', grantsText(user.grants)],
      ['created', `${timeText(user.createdAt)} by ${user.createdBy}`],
    ]),
  );
}

async function setDisabled({ api, output }: Session, name: string, disabled: boolean): Promise<void> {
  const user = await api.patch<User>(pathOf`/users/${name}`, { disabled });
  output.done(user, `${disabled ? 'disabled' : 'enabled'} user ${name}`);
}

async function deleteUser({ api, output }: Session, name: string): Promise<void> {
  await api.delete(pathOf`/users/${name}`);
  output.say(`deleted user ${name}`);
}

interface PasswordOptions {
  readonly passwordStdin?: boolean;
}

async function changePassword(
  session: Session,
  name: string | undefined,
  options: PasswordOptions,
): Promise<void> {
  if (name === undefined) return changeOwnPassword(session, options);
  const { api, output } = session;
  const request = options.passwordStdin ? { password: await secretOfStdin() } : {};
  const { body } = await api.send(pathOf`/users/${name}/password`, { method: 'PUT', body: request });
  const { password } = (body ?? {}) as { password?: string };
  const hint = password === undefined ? '' : '; the new one is shown once:';
  output.secret(body, password, `changed the password of ${name}${hint}`);
}

/** The saved login ends with the old password, so it is renewed. */
async function changeOwnPassword({ api, output }: Session, options: PasswordOptions): Promise<void> {
  const { user } = await api.get<Me>('/me');
  if (!user) throw new Failure('only users have passwords');
  const { current, fresh } = options.passwordStdin ? await passwordsOfStdin() : await askPasswords(user.name);
  await api.put('/me/password', { current, new: fresh });
  output.say('changed your password');
  const saved = await savedLogin(api.url);
  if (saved?.username !== user.name) return;
  await keepLogin({ ...saved, refreshToken: await refreshToken(api.url, user.name, fresh) });
}

async function askPasswords(name: string) {
  const advice = 'no terminal to ask for passwords; give both with --password-stdin';
  const current = await askSecret(`Current password of ${name}: `, advice);
  return { current, fresh: await askNewPassword(advice) };
}

async function passwordsOfStdin() {
  const [current, fresh, more] = await linesOfStdin();
  if (!current || !fresh || more !== undefined) {
    throw misuse('standard input is not two lines: the current password and the new one');
  }
  return { current, fresh };
}
