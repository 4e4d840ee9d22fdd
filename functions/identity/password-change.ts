import type { Registry } from '../registry/registry.ts';
import { tryPassword } from './attempts.ts';
import { networkOf } from './network.ts';
import { verifyPassword } from './passwords.ts';
import { findUser, setPassword } from './users.ts';

export type PasswordChange =
  | { readonly is: 'changed' | 'refused' }
  | { readonly is: 'limited'; readonly retryAfterSeconds: number };

/** Replaces a user's password by somebody who knows it. Whoever only has the user's session must guess it, and guesses
 *  count as logins do. */
export async function changeOwnPassword(
  registry: Registry,
  name: string,
  { current, next, address }: { readonly current: string; readonly next: string; readonly address: string },
): Promise<PasswordChange> {
  const outcome = await tryPassword(registry, { address, user: name }, async () => {
    const user = await findUser(registry, name);
    return verifyPassword(current, user?.passwordHash, networkOf(address));
  });
  if (outcome.is !== 'right') return outcome;
  return { is: (await setPassword(registry, name, next)) ? 'changed' : 'refused' };
}
