import type { Command } from 'commander';
import { Api } from './api.ts';
import { environmentLogin, environmentRegistry } from './environment-login.ts';
import { misuse } from './failure.ts';
import type { Credential } from './log-in.ts';
import { Output } from './output.ts';
import { readLogins, savedLogin } from './saved-logins.ts';
import { trust } from './trust.ts';
import { registryUrl } from './values.ts';

/** Options that every command has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly registry?: string;
  readonly ca?: string;
}

/** What a command on a registry works with. */
export interface Session {
  readonly api: Api;
  readonly output: Output;
}

/** Makes an action of commander from a command on a registry. */
export function onRegistry<A extends readonly unknown[]>(
  run: (session: Session, ...given: A) => Promise<void>,
): (...given: [...A, Command]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    await run(await open(command.optsWithGlobals()), ...(given.slice(0, -1) as unknown as A));
  };
}

async function open(options: GlobalOptions): Promise<Session> {
  const url = await registryOf(options);
  await trust(url, options.ca);
  return { api: new Api(url, await credentialFor(url, options)), output: new Output(options) };
}

/** The registry a command is about: the one it names, the environment's, or the current one. */
export async function registryOf({ registry }: GlobalOptions): Promise<string> {
  const url = registry ?? environmentRegistry() ?? (await readLogins()).current;
  if (url !== undefined) return registryUrl(url);
  throw misuse(
    'which registry? you are logged in to none: stowage login URL, or name one by --registry URL or STOWAGE_REGISTRY',
  );
}

/** How to log in to a registry: as the environment says, which never goes to another one than it names, or as saved. */
export async function credentialFor(
  url: string,
  { registry = environmentRegistry() }: GlobalOptions = {},
): Promise<Credential | undefined> {
  const login = environmentLogin();
  if (login && (registry === undefined || registryUrl(registry) === url)) return login;
  const saved = await savedLogin(url);
  return saved && { is: 'refresh token', refreshToken: saved.refreshToken };
}
