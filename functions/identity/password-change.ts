import type { Registry } from '../registry/registry.ts';
import { beginAttempt } from './attempts.ts';
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
  const attempt = await beginAttempt(registry, { address, user: name });
  if (attempt.is === 'refused') return { is: 'limited', retryAfterSeconds: attempt.retryAfterSeconds };
  const user = await findUser(registry, name);
  const isRight = await verifyPassword(current, user?.passwordHash);
  await attempt.settle(isRight);
  if (!isRight) return { is: 'refused' };
  return { is: (await setPassword(registry, name, next)) ? 'changed' : 'refused' };
}
