import { REFRESH_TOKEN_SECONDS, WORKLOAD_LOGIN_SECONDS } from '../limits.ts';
import { refreshTokenKey } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, absent } from '../storage/table.ts';
import type { Grant } from './grants.ts';
import type { CredentialRef, Identity } from './identity.ts';
import type { PrincipalId } from './principal.ts';
import { idOfSecret, isSecret, newSecret } from './secrets.ts';

/** Makes a refresh token for whoever has logged in; it works as long as their credential does, for at most
 *  `REFRESH_TOKEN_SECONDS`, or for a workload, whose grants it keeps, `WORKLOAD_LOGIN_SECONDS`. */
export async function createRefreshToken(
  { table, now }: Registry,
  { principal, credential, grants }: Identity,
): Promise<string> {
  const { id, text, hash } = newSecret('refresh');
  const expiresAt = Math.floor(now() / 1000) + (grants ? WORKLOAD_LOGIN_SECONDS : REFRESH_TOKEN_SECONDS);
  const attributes = {
    principal,
    credential,
    hash,
    expiresAt,
    ...(grants && { grants }),
  } as unknown as Attributes;
  // With a condition it takes effect once: a second time might be after it was revoked.
  await table.write([{ put: refreshTokenKey(id), attributes, when: [absent] }]);
  return text;
}

/** Whether the text has the form of a refresh token. */
export const isRefreshToken = (text: string) => idOfSecret('refresh', text) !== undefined;

interface RefreshToken {
  readonly principal: PrincipalId;
  /** Which must still hold. */
  readonly credential: CredentialRef;
  /** Of a workload. */
  readonly grants?: readonly Grant[];
}

/** Whose refresh token it is; `undefined` where it is none. */
export async function findRefreshToken(
  { table, now }: Registry,
  text: string,
): Promise<RefreshToken | undefined> {
  const id = idOfSecret('refresh', text);
  const found = id === undefined ? undefined : await table.get(refreshTokenKey(id));
  if (!isSecret(text, found?.['hash'] as Uint8Array | undefined) || !found) return undefined;
  if ((found['expiresAt'] as number) * 1000 <= now()) return undefined;
  const { principal, credential, grants } = found as unknown as RefreshToken;
  return { principal, credential, ...(grants && { grants }) };
}

/** Voids a refresh token for whoever has it; answers whether it was one. */
export async function revokeRefreshToken(registry: Registry, text: string): Promise<boolean> {
  const id = idOfSecret('refresh', text);
  if (id === undefined || !(await findRefreshToken(registry, text))) return false;
  await registry.table.write([{ remove: refreshTokenKey(id) }]);
  return true;
}
