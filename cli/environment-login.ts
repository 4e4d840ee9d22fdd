import { misuse } from './failure.ts';
import type { Credential } from './log-in.ts';

/** The registry that the environment names. A variable that is set but empty is a mistake, most often a secret that is missing in
 *  CI: what would be done without it is done by somebody else, or elsewhere. */
export function environmentRegistry(): string | undefined {
  return variable('STOWAGE_REGISTRY', 'the address of a registry');
}

/** The login that the environment has; fails where it has half of one. */
export function environmentLogin(): Credential | undefined {
  const username = variable('STOWAGE_USERNAME', 'a user, robot/NAME, or oidc');
  const password = variable('STOWAGE_TOKEN', 'a token or password, the secret of a robot, or an ID token');
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined) throw half('STOWAGE_TOKEN', 'STOWAGE_USERNAME', 'a user, robot/NAME, or oidc');
  if (password === undefined)
    throw half('STOWAGE_USERNAME', 'STOWAGE_TOKEN', 'its token, secret or password');
  return { is: 'password', username, password };
}

function variable(name: string, what: string): string | undefined {
  const value = process.env[name];
  if (value === undefined) return undefined;
  if (value.trim() === '') throw misuse(`${name} is set but empty: set it to ${what}, or unset it`);
  if (value === value.trim()) return value;
  throw misuse(`${name} begins or ends with white space or a line break: set it without`);
}

const half = (present: string, missing: string, what: string) =>
  misuse(`${present} is set, and ${missing} is missing: set it to ${what}, or unset ${present}`);
