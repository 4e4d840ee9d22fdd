import { REFRESH_TOKEN_SECONDS } from '../limits.ts';
import { refreshTokenKey } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { absent } from '../storage/table.ts';
import type { CredentialRef } from './identity.ts';
import type { PrincipalId } from './principal.ts';
import { idOfSecret, isSecret, newSecret } from './secrets.ts';

/** Makes a refresh token for whoever has logged in with the credential; it works as long as that does, for at most
 *  `REFRESH_TOKEN_SECONDS`. */
export async function createRefreshToken(
  { table, now }: Registry,
  principal: PrincipalId,
  credential: CredentialRef,
): Promise<string> {
  const { id, text, hash } = newSecret('refresh');
  const expiresAt = Math.floor(now() / 1000) + REFRESH_TOKEN_SECONDS;
  const attributes = { principal, credential, hash, expiresAt };
  // With a condition it takes effect once: a second time might be after it was revoked.
  await table.write([{ put: refreshTokenKey(id), attributes, when: [absent] }]);
  return text;
}

/** Whether the text has the form of a refresh token. */
export const isRefreshToken = (text: string) => idOfSecret('refresh', text) !== undefined;

/** Whose refresh token it is, and which credential must still hold; `undefined` where it is none. */
export async function findRefreshToken(
  { table, now }: Registry,
  text: string,
): Promise<{ principal: PrincipalId; credential: CredentialRef } | undefined> {
  const id = idOfSecret('refresh', text);
  const found = id === undefined ? undefined : await table.get(refreshTokenKey(id));
  if (!isSecret(text, found?.['hash'] as Uint8Array | undefined) || !found) return undefined;
  if ((found['expiresAt'] as number) * 1000 <= now()) return undefined;
  return {
    principal: found['principal'] as PrincipalId,
    credential: found['credential'] as CredentialRef,
  };
}

/** Voids a refresh token for whoever has it; answers whether it was one. */
export async function revokeRefreshToken(registry: Registry, text: string): Promise<boolean> {
  const id = idOfSecret('refresh', text);
  if (id === undefined || !(await findRefreshToken(registry, text))) return false;
  await registry.table.write([{ remove: refreshTokenKey(id) }]);
  return true;
}
