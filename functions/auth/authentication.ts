import { type Authority, nobody } from '../identity/grants.ts';
import { currentIdentity } from '../identity/identity.ts';
import { PasswordMemory } from '../identity/password-memory.ts';
import { ANONYMOUS } from '../identity/principal.ts';
import { Refusals } from '../identity/refusals.ts';
import { findSession } from '../identity/sessions.ts';
import type { WorkloadVerifier } from '../identity/workload.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import { publicAmong } from '../registry/repositories.ts';
import { type Action, type Caller, stranger } from './access.ts';
import { AccessTokens } from './access-token.ts';
import { sessionTextOf } from './session-cookie.ts';
import type { KeySource } from './signing-keys.ts';
import { type AccessToken, SERVICE } from './token-claims.ts';

/** What a host brings along for a registry that has users. */
export interface AuthenticationOptions {
  readonly registry: Registry;
  readonly keys: KeySource;
  readonly workloads: WorkloadVerifier;
  /** How clients reach the registry, without a slash at the end. @default what their requests name as host */
  readonly publicUrl?: string | undefined;
}

export type Bearer =
  | { readonly is: 'known'; readonly caller: Caller }
  /** `why` is for the client. */
  | {
      readonly is: 'unknown';
      readonly caller: Caller;
      readonly why: string;
      readonly error?: 'invalid_token';
      /** Nothing was sent that could be a proof. */
      readonly isSilent?: boolean;
    };

/** Finds out who sends requests; one for the life of a host. */
export class Authentication {
  readonly tokens: AccessTokens;
  readonly passwords: PasswordMemory;
  readonly refusals = new Refusals();
  readonly workloads: WorkloadVerifier;
  readonly publicUrl: string | undefined;

  constructor({ registry, keys, workloads, publicUrl }: AuthenticationOptions) {
    const { now, newId } = registry;
    this.tokens = new AccessTokens({ keys, service: SERVICE, now, newId });
    this.passwords = new PasswordMemory(now);
    this.workloads = workloads;
    this.publicUrl = publicUrl;
  }

  /** Who sent the request, by its bearer token; nothing else is taken for a proof, but for the management API the cookie that the
   *  page at `page` has, where there is no other. `registry` is the request's own. */
  async bearerOf(request: Request, registry: Registry, page?: string): Promise<Bearer> {
    const { headers } = request;
    const session =
      page === undefined || headers.has('authorization') ? undefined : sessionTextOf(request, page);
    if (session !== undefined) return bySession(registry, session);
    const [, scheme = '', text = ''] = /^(\S+) +(\S+)$/.exec(headers.get('authorization') ?? '') ?? [];
    if (scheme.toLowerCase() === 'basic') {
      const why = 'a password is taken by the token endpoint only, which the challenge names';
      return { is: 'unknown', caller: stranger, why };
    }
    if (scheme.toLowerCase() !== 'bearer') {
      const isSilent = !headers.has('authorization');
      return { is: 'unknown', caller: stranger, why: 'authentication required', isSilent };
    }
    const outcome = await this.tokens.verify(text);
    if (outcome.is === 'valid') return { is: 'known', caller: callerOf(registry, outcome.token) };
    const why = outcome.is === 'expired' ? 'the access token has expired' : 'the access token is not valid';
    return { is: 'unknown', caller: stranger, why, error: 'invalid_token' };
  }
}

async function bySession(registry: Registry, text: string): Promise<Bearer> {
  const session = await findSession(registry, text);
  const identity = session && (await currentIdentity(registry, session));
  if (!identity) return { is: 'unknown', caller: stranger, why: 'the session has ended; log in again' };
  const { principal, credential, authority } = identity;
  return {
    is: 'known',
    caller: {
      principal,
      credential,
      verdict: async (type, name) =>
        type === 'registry' && name === 'api'
          ? { granted: ['*'], refused: [] }
          : { granted: [], refused: [] },
      authority: async () => authority,
    },
  };
}

function callerOf(registry: Registry, token: AccessToken): Caller {
  const { principal, credential } = token;
  let known: ReturnType<Caller['authority']> | undefined;
  const authority = () => {
    known ??= authorityOf(registry, token);
    return known;
  };
  const verdict: Caller['verdict'] = async (type, name) => {
    const entry = token.access.find((one) => one.type === type && one.name === name);
    if (entry) return { granted: entry.actions, refused: entry.refused ?? [] };
    const asked = type === 'repository' ? (token.beyond ?? []) : [];
    const granted = asked.length > 0 ? await worth(registry, await authority(), { name, asked }) : [];
    return { granted, refused: [] };
  };
  return {
    principal,
    credential,
    verdict,
    authority,
  };
}

async function authorityOf(registry: Registry, { principal, credential, grants }: AccessToken) {
  if (principal === ANONYMOUS) return nobody;
  return (await currentIdentity(registry, { principal, credential, ...(grants && { grants }) }))?.authority;
}

/** Which of the actions the credential allows in the repository at this moment. */
async function worth(
  registry: Registry,
  authority: Authority | undefined,
  { name, asked }: { readonly name: string; readonly asked: readonly string[] },
): Promise<readonly string[]> {
  if (!authority) return [];
  const repository = name as RepositoryName;
  const allowed = asked.filter((action) => authority.may(action as Action, repository));
  if (allowed.includes('pull') || !asked.includes('pull')) return allowed;
  return (await publicAmong(registry, [repository])).has(repository) ? [...allowed, 'pull'] : allowed;
}
