import { type Authority, nobody } from '../identity/grants.ts';
import { type CredentialRef, NO_CREDENTIAL } from '../identity/identity.ts';
import { ANONYMOUS, EVERYBODY, type PrincipalId } from '../identity/principal.ts';
import type { RepositoryName } from '../oci/reference.ts';

export type Action = 'pull' | 'push' | 'delete';

/** What an access token says of something its bearer asked for: what was granted, and what was asked and refused. */
interface Verdict {
  readonly granted: readonly string[];
  readonly refused: readonly string[];
}

/** Whoever sent a request, and what the access token allows. */
export interface Caller {
  readonly principal: PrincipalId;
  readonly credential: CredentialRef;
  /** Of a repository; or of what the registry has besides, `catalog` and `api`. */
  verdict(type: 'repository' | 'registry', name: string): Promise<Verdict>;
  /** What the credential behind the token is worth at this moment, whatever the token was made for; `undefined`
   *  where it is worth nothing any more. Read once for each request. */
  authority(): Promise<Authority | undefined>;
}

const NOTHING: Verdict = { granted: [], refused: [] };
const EVERYTHING: Verdict = { granted: ['pull', 'push', 'delete', '*'], refused: [] };

/** The caller of a registry without users. */
export const everybody: Caller = {
  principal: EVERYBODY,
  credential: NO_CREDENTIAL,
  verdict: async () => EVERYTHING,
  authority: async () => ({ may: () => true, administers: () => true, administersAny: () => true }),
};

/** Somebody without a token. */
export const stranger: Caller = {
  principal: ANONYMOUS,
  credential: NO_CREDENTIAL,
  verdict: async () => NOTHING,
  authority: async () => nobody,
};

export async function may(caller: Caller, action: Action, repository: RepositoryName): Promise<boolean> {
  return (await caller.verdict('repository', repository)).granted.includes(action);
}
