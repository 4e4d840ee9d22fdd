import { ANONYMOUS } from '../identity/principal.ts';
import { denied, unauthorized } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Action } from './access.ts';
import type { Bearer } from './authentication.ts';
import { formatScope, type Scope } from './scope.ts';
import { SERVICE } from './token-claims.ts';

/** What a route asks for: nothing, any token, or a token for a scope; `view` is as `api`, where one is sent at all. */
export type Need = 'nothing' | 'token' | 'catalog' | 'api' | 'view' | Action;

/** What a push needs a token for: every client looks before it sends. */
const ASKED: Readonly<Record<Action, readonly string[]>> = {
  pull: ['pull'],
  push: ['pull', 'push'],
  delete: ['delete'],
};

interface Demand {
  readonly need: Exclude<Need, 'nothing'>;
  /** Of the path, where the need is an action. */
  readonly repository?: RepositoryName | undefined;
  /** What the same request would like besides, to pull from the repository it mounts from. */
  readonly also?: RepositoryName | undefined;
  /** Where clients reach the registry. */
  readonly origin: string;
}

/** Throws unless the token allows what the route needs: 401 with a challenge for a token that would, or 403 where
 *  the caller has asked for that already and was refused. Neither tells whether the repository exists. The management
 *  API takes no token whose credential is void by now. */
export async function demand(bearer: Bearer, { need, repository, also, origin }: Demand): Promise<void> {
  const scopes = scopesFor(need, repository, also);
  const challengeOf = (error?: string) => challenge(origin, scopes, error);
  if (need === 'view' && isNobody(bearer)) return;
  if (bearer.is === 'unknown') throw unauthorized(bearer.why, challengeOf(bearer.error));
  const { principal } = bearer.caller;
  const [scope] = scopes;
  if (!scope) return;
  const wanted = scope.type === 'registry' ? '*' : need;
  const { granted, refused } = await bearer.caller.verdict(scope.type, scope.name);
  if (granted.includes(wanted)) {
    if (scope.type !== 'registry' || need === 'catalog' || (await bearer.caller.authority())) return;
    throw unauthorized('what the access token rests on is no longer valid', challengeOf('invalid_token'));
  }
  const isFinal = refused.includes(wanted);
  if (isFinal && principal !== ANONYMOUS) throw denied(lacking(principal, need, scope));
  const why = isFinal ? toLogIn(need, scope) : `the access token is not one to ${need} in ${scope.name}`;
  throw unauthorized(why, challengeOf('insufficient_scope'));
}

/** Who has sent no proof of who it is, or one of nobody. */
const isNobody = (bearer: Bearer) =>
  bearer.is === 'unknown' ? bearer.isSilent === true : bearer.caller.principal === ANONYMOUS;

/** What somebody who has not logged in is told of a repository that is not public, or does not exist. */
export function loginFirst(repository: string, origin: string) {
  const [scope] = scopesFor('view');
  return unauthorized(
    `log in to see it: the repository ${repository} is not public, or does not exist`,
    challenge(origin, scope ? [scope] : []),
  );
}

function scopesFor(need: Need, repository?: RepositoryName, also?: RepositoryName): Scope[] {
  if (need === 'nothing' || need === 'token') return [];
  if (need === 'catalog') return [{ type: 'registry', name: need, actions: ['*'] }];
  if (need === 'api' || need === 'view') return [{ type: 'registry', name: 'api', actions: ['*'] }];
  if (repository === undefined) return [];
  const scope: Scope = { type: 'repository', name: repository, actions: ASKED[need] };
  return also === undefined || also === repository
    ? [scope]
    : [scope, { type: 'repository', name: also, actions: ['pull'] }];
}

const lacking = (principal: string, need: Need, { type, name }: Scope) =>
  type === 'registry'
    ? `${principal} has no access to the ${name} of this registry`
    : `${principal} lacks the grant "${need}" on the repository ${name}`;

const toLogIn = (need: Need, { type, name }: Scope) =>
  type === 'registry'
    ? `log in to use the ${name} of this registry`
    : `log in to ${need}: the repository ${name} is not public, or does not exist`;

/** https://distribution.github.io/distribution/spec/auth/token/ */
function challenge(origin: string, scopes: readonly Scope[], error?: string): string {
  const scope = scopes.map(formatScope).join(' ');
  const parts = [
    `realm="${origin}/token"`,
    `service="${SERVICE}"`,
    ...(scope ? [`scope="${scope}"`] : []),
    ...(error ? [`error="${error}"`] : []),
  ];
  return `Bearer ${parts.join(',')}`;
}
