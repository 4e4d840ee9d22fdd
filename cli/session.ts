import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { Command } from 'commander';
import { Api } from './api.ts';
import { Failure, misuse } from './failure.ts';
import type { Credential } from './log-in.ts';
import { Output } from './output.ts';
import { readLogins } from './saved-logins.ts';
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
  trust(options.ca);
  const url = await registryOf(options);
  return { api: new Api(url, await credentialFor(url, options)), output: new Output(options) };
}

/** The registry a command is about: the one it names, the environment's, or the current one. */
export async function registryOf({ registry }: GlobalOptions): Promise<string> {
  const named = registry ?? process.env['STOWAGE_REGISTRY'];
  const url = named || (await readLogins()).current;
  if (url) return registryUrl(url);
  throw misuse('which registry? stowage login URL, or --registry URL, or STOWAGE_REGISTRY');
}

/** How to log in to a registry: as the environment says, which never goes to another one than it names, or as saved. */
export async function credentialFor(
  url: string,
  { registry = process.env['STOWAGE_REGISTRY'] }: GlobalOptions = {},
): Promise<Credential | undefined> {
  const { STOWAGE_TOKEN: password, STOWAGE_USERNAME: username } = process.env;
  if (password && (!registry || registryUrl(registry) === url)) {
    if (!username) throw misuse('STOWAGE_TOKEN needs STOWAGE_USERNAME: a user, robot/NAME, or oidc');
    return { is: 'password', username, password };
  }
  const saved = (await readLogins()).logins.find((login) => login.url === url);
  return saved && { is: 'refresh token', refreshToken: saved.refreshToken };
}

/** Trusts the CAs of a PEM file, besides those that are trusted anyway. */
export function trust(file: string | undefined): void {
  if (file === undefined) return;
  try {
    const certificates = readFileSync(file, 'utf8').match(CERTIFICATE) ?? [];
    if (certificates.length === 0) throw new Error('there is no certificate in it');
    setDefaultCACertificates([...getCACertificates('default'), ...certificates]);
  } catch (error) {
    throw new Failure(`--ca ${file}: ${(error as Error).message}`);
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
