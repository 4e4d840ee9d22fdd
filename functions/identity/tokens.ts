import { notFound } from '../oci/errors.ts';
import { entryIn, subjectKey, tokenKey, tokensOf } from '../registry/keys.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, type Item, present } from '../storage/table.ts';
import { type Authority, authorityOf, type Grant } from './grants.ts';
import { type NewSecret, newSecret } from './secrets.ts';
import { grantsAttribute, unchanged } from './subjects.ts';
import { userSubject } from './users.ts';

/** A personal access token: a password for programs, of which a user may have many. */
export interface AccessToken {
  readonly id: string;
  readonly description: string;
  /** What it is limited to, within what its user may do; absent where it is not. */
  readonly grants?: readonly Grant[];
  /** Milliseconds since 1970, as the others. */
  readonly createdAt: number;
  readonly validUntil?: number;
  /** To the hour; absent where it was never used. */
  readonly lastUsedAt?: number;
  readonly hash: Uint8Array;
}

export interface NewAccessToken {
  readonly description: string;
  readonly grants?: readonly Grant[] | undefined;
  readonly validUntil?: number | undefined;
}

/** So many tokens a user has at most; one page lists them all. */
export const MAX_TOKENS = 100;

/** Makes a token of a user, who must exist. Its text is not kept, so it can be shown only now; `undefined` where the
 *  user has as many as anybody may. */
export async function createToken(
  registry: Registry,
  user: string,
  token: NewAccessToken,
): Promise<{ token: AccessToken; secret: NewSecret } | undefined> {
  const secret = newSecret('token');
  const attributes: Attributes = {
    description: token.description,
    hash: secret.hash,
    createdAt: registry.now(),
    ...(token.grants && { grants: grantsAttribute(token.grants) }),
    ...validity(token.validUntil),
  };
  const subject = userSubject(user);
  return untilWon(registry, async () => {
    const found = await registry.table.get(subjectKey(subject));
    if (!found) throw notFound(`user: ${user}`);
    if ((await listTokens(registry, user)).length >= MAX_TOKENS) return undefined;
    const { committed } = await registry.table.write([
      { put: tokenKey(subject, secret.id), attributes },
      // A user who is being deleted must not gain a token that outlives them; nor one too many.
      { update: subjectKey(subject), add: { version: 1 }, when: [unchanged(found)] },
    ]);
    return committed ? { token: tokenOf(secret.id, attributes), secret } : LOST;
  });
}

export async function findToken(
  { table }: Registry,
  user: string,
  id: string,
): Promise<AccessToken | undefined> {
  const found = await table.get(tokenKey(userSubject(user), id));
  return found && tokenOf(id, found);
}

/** All tokens of a user, those that have expired of late included. */
export async function listTokens({ table }: Registry, user: string): Promise<AccessToken[]> {
  const items = await table.query({ ...tokensOf(userSubject(user)), limit: MAX_TOKENS });
  return items.map((item: Item) => tokenOf(entryIn(item), item.attributes));
}

/** Voids a token at once; answers whether there was one. */
export async function revokeToken({ table }: Registry, user: string, id: string): Promise<boolean> {
  const { committed } = await table.write([{ remove: tokenKey(userSubject(user), id), when: [present] }]);
  return committed;
}

/** Whether it can still be used, at `now` in milliseconds. */
export const isValid = ({ validUntil }: { readonly validUntil?: number }, now: number) =>
  validUntil === undefined || now < validUntil;

/** What the token allows by itself: everything, unless it is limited. */
export function limitOf({ grants }: AccessToken): Authority | undefined {
  return grants && authorityOf(grants);
}

/** Ours: for so long a list still shows what has expired. */
const SHOWN_AFTER_EXPIRY_SECONDS = 30 * 24 * 60 * 60;

/** The end of a credential, and the later one of its item. */
const validity = (validUntil: number | undefined): Attributes =>
  validUntil === undefined
    ? {}
    : { validUntil, expiresAt: Math.floor(validUntil / 1000) + SHOWN_AFTER_EXPIRY_SECONDS };

function tokenOf(id: string, found: Attributes): AccessToken {
  const { grants, validUntil, lastUsedAt } = found;
  return {
    id,
    description: found['description'] as string,
    createdAt: found['createdAt'] as number,
    hash: found['hash'] as Uint8Array,
    ...(grants !== undefined && { grants: grants as unknown as Grant[] }),
    ...(validUntil !== undefined && { validUntil: validUntil as number }),
    ...(lastUsedAt !== undefined && { lastUsedAt: lastUsedAt as number }),
  };
}
