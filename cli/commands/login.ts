import type { Command } from 'commander';
import type { Me } from '../../api/types.ts';
import { Failure, misuse } from '../failure.ts';
import { refreshToken, revoke } from '../log-in.ts';
import { Output } from '../output.ts';
import { ask, askSecret, secretOfStdin } from '../prompt.ts';
import { forgetLogin, keepLogin, makeCurrent, readLogins, savedLogin } from '../saved-logins.ts';
import { type GlobalOptions, onRegistry, registryOf, type Session } from '../session.ts';
import { facts } from '../text.ts';
import { trust } from '../trust.ts';
import { grantsText, registryUrl } from '../values.ts';

export function addLoginCommands(program: Command): void {
  program
    .command('login [url]')
    .description('log in; from then on commands are about this one')
    .option('-u, --username <name>', 'a user, or robot/NAME')
    .option('--password-stdin', 'take the password from standard input')
    .action(logIn);
  program
    .command('logout [url]')
    .description('end a login (default: of the current registry)')
    .action(logOut);
  program.command('use [url]').description('choose among your logins, or list them').action(use);
  program.command('whoami').description('show who you are to the registry').action(onRegistry(showMe));
}

interface LoginOptions extends GlobalOptions {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

async function logIn(given: string | undefined, _: LoginOptions, command: Command): Promise<void> {
  const options = command.optsWithGlobals<LoginOptions>();
  const url = given === undefined ? await registryOf(options) : registryUrl(given);
  const ca = await trust(url, options.ca);
  const username = await usernameFor(url, options);
  const password = options.passwordStdin
    ? await secretOfStdin()
    : await askSecret(`Password of ${username}: `, 'no terminal to ask for a password; use --password-stdin');
  const token = await refreshToken(url, username, password);
  await keepLogin({ url, username, refreshToken: token, ...(ca !== undefined && { ca }) });
  await makeCurrent(url);
  new Output(options).say(`logged in to ${url} as ${username}`);
}

async function usernameFor(url: string, { username, passwordStdin }: LoginOptions): Promise<string> {
  const named = username ?? process.env['STOWAGE_USERNAME'];
  if (named) return named;
  if (passwordStdin) throw misuse('--password-stdin needs --username');
  const before = (await savedLogin(url))?.username;
  const suggestion = before === undefined ? '' : ` (${before})`;
  const answer = await ask(`User name${suggestion}: `, 'no terminal to ask for a user name; use --username');
  const name = answer.trim() || before;
  if (!name) throw misuse('no user name');
  return name;
}

async function logOut(given: string | undefined, _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const url = given === undefined ? await registryOf(options) : registryUrl(given);
  const login = await savedLogin(url);
  if (!login) throw new Failure(`there is no login to ${url}`);
  const isTrusted = trust(url, options.ca);
  const isVoid = await isTrusted.then(
    () => revoke(url, login.refreshToken),
    () => false,
  );
  await forgetLogin(url);
  const remark = isVoid ? '' : '; it could not be told, so whoever has a copy of the login can still use it';
  new Output(options).say(`logged out of ${url}${remark}`);
}

async function use(given: string | undefined, _: unknown, command: Command): Promise<void> {
  const output = new Output(command.optsWithGlobals<GlobalOptions>());
  if (given !== undefined) {
    const url = registryUrl(given);
    await makeCurrent(url);
    output.say(`commands are about ${url} now`);
    return;
  }
  const { current, logins } = await readLogins();
  const registries = logins.map(({ url, username }) => ({ url, username, current: url === current }));
  output.list('registries', registries, {
    REGISTRY: ({ url }) => url,
    USER: ({ username }) => username,
    CURRENT: (registry) => (registry.current ? 'yes' : ''),
  });
}

async function showMe({ api, output }: Session): Promise<void> {
  const me = await api.get<Me>('/me');
  output.result(me, () =>
    facts([
      ['registry', api.url],
      ['principal', me.principal],
      ['admin', me.admin ? 'yes' : 'no'],
      ['groups', (me.user?.groups ?? []).join(' ')],
      ['grants', grantsText(me.user?.grants)],
    ]),
  );
}
