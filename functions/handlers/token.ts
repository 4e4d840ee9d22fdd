import type { Authentication } from '../auth/authentication.ts';
import { byUrgency, parseScopes, type Scope, widened } from '../auth/scope.ts';
import type { AccessEntry, AccessToken } from '../auth/token-claims.ts';
import { readRevocation, readTokenRequest, type TokenRequest } from '../http/token-request.ts';
import { type AuditRecord, recordAudit } from '../identity/audit.ts';
import { anonymous, type Identity, isPasswordCredential } from '../identity/identity.ts';
import { type LoginOutcome, logIn, logInAgain } from '../identity/login.ts';
import { ANONYMOUS, claimedName } from '../identity/principal.ts';
import { createRefreshToken, isRefreshToken, revokeRefreshToken } from '../identity/refresh-tokens.ts';
import { ACCESS_TOKEN_SECONDS, MAX_TOKEN_ACCESS_BYTES } from '../limits.ts';
import { endpointUnknown, loginRefused, type RegistryError } from '../oci/errors.ts';
import { tooManyLogins } from '../oci/host-errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { publicAmong } from '../registry/repositories.ts';
import type { Call } from './call.ts';

/** `GET /token` with Basic, or without for an anonymous token; `POST /token` as OAuth2 form. Grants what was asked and
 *  is allowed. https://distribution.github.io/distribution/spec/auth/token/ and …/oauth/ */
export async function issueToken(call: Call): Promise<Response> {
  const { authentication, registry } = call;
  if (!authentication) throw endpointUnknown();
  const asked = await readTokenRequest(call.request, call.query, call.readings);
  const outcome = await identify(call, authentication, asked);
  if (outcome.is !== 'known') throw await refusal(call, authentication, { asked, outcome });
  const { identity } = outcome;
  const { access, beyond } = await decide(call, identity, scopesOf(call.request, asked));
  const { principal, credential, grants } = identity;
  call.loggedIn(principal);
  const { text, issuedAt } = await authentication.tokens.issue({
    principal,
    credential,
    access,
    ...(grants && { grants }),
    ...(beyond.length > 0 && { beyond }),
  });
  // What anybody gets without a login tells of nobody.
  if (principal !== ANONYMOUS)
    await recordAudit(registry, recordOf(call, principal, 200, access.map(describe).join(' ')));
  const wantsRefresh = asked.offline && mayRefresh(call, asked, identity);
  const refresh = wantsRefresh ? await createRefreshToken(registry, identity) : undefined;
  return Response.json(
    {
      token: text,
      access_token: text,
      expires_in: ACCESS_TOKEN_SECONDS,
      issued_at: new Date(issuedAt).toISOString(),
      scope: access
        .filter(({ actions }) => actions.length > 0)
        .map(describe)
        .join(' '),
      ...(refresh && { refresh_token: refresh }),
    },
    { headers: { 'Cache-Control': 'no-store' } },
  );
}

/** Docker, which asks by `GET`, stores it in the place of the password, where not every tool finds it: it keeps a secret that was
 *  generated itself. But an ID token ends before the job that has it. A refresh token is not prolonged by itself. */
function mayRefresh({ request }: Call, { credentials }: TokenRequest, identity: Identity): boolean {
  const { principal, credential, grants } = identity;
  if (principal === ANONYMOUS || isRefreshToken(credentials?.password ?? '')) return false;
  return request.method === 'POST' || grants !== undefined || isPasswordCredential(credential);
}

/** `POST /token/revoke`: ends a refresh token at once. Answers 200 for any text, as the standard wants: whoever asks
 *  learns nothing, and what is to be void is. https://www.rfc-editor.org/rfc/rfc7009 */
export async function revokeToken({ registry, request, readings }: Call): Promise<Response> {
  await revokeRefreshToken(registry, await readRevocation(request, readings));
  return Response.json({}, { headers: { 'Cache-Control': 'no-store' } });
}

async function identify(
  { registry, address }: Call,
  { workloads, passwords }: Authentication,
  { credentials, refreshToken }: TokenRequest,
): Promise<LoginOutcome> {
  const context = { registry, workloads, passwords, address };
  if (refreshToken !== undefined) return logInAgain(context, refreshToken);
  if (credentials) return logIn(context, credentials);
  return { is: 'known', identity: anonymous };
}

/** It asks for a token once, for what its first request needs, and for no other when it hears that this one is too small: it has one
 *  for all that it may do in a repository. docs/decisions/0020-what-clients-need.md */
const ASKS_ONCE = /^oras-py\b/;

function scopesOf({ headers }: Request, { scopes }: TokenRequest): readonly Scope[] {
  const asked = parseScopes(scopes);
  return ASKS_ONCE.test(headers.get('user-agent') ?? '') ? asked.map(widened) : asked;
}

/** What is granted and what refused of the scopes, of which the most urgent have room in a token, and which actions were asked for
 *  in the repositories that have none. */
async function decide(
  call: Call,
  identity: Identity,
  asked: readonly Scope[],
): Promise<Required<Pick<AccessToken, 'access' | 'beyond'>>> {
  const { authority, principal } = identity;
  const fit = new Set(fitting(byUrgency(asked), identity));
  const scopes = asked.filter((scope) => fit.has(scope));
  const names = scopes.filter(({ type }) => type === 'repository').map(({ name }) => name as RepositoryName);
  const unreadable = names.filter((name) => !authority.may('pull', name));
  const isPublic = await publicAmong(call.registry, unreadable);
  const access = scopes.map(({ type, name, actions }): AccessEntry => {
    const isGranted = (action: string) => {
      if (type === 'registry') return name === 'catalog' || principal !== ANONYMOUS;
      const repository = name as RepositoryName;
      return (
        authority.may(action as 'pull' | 'push' | 'delete', repository) ||
        (action === 'pull' && isPublic.has(repository))
      );
    };
    const refused = actions.filter((action) => !isGranted(action));
    return { type, name, actions: actions.filter(isGranted), ...(refused.length > 0 && { refused }) };
  });
  const left = asked.filter((scope) => !fit.has(scope) && scope.type === 'repository');
  return { access, beyond: [...new Set(left.flatMap(({ actions }) => actions))] };
}

/** Scopes whose entries fit, whatever is granted of them. Of a workload, the grants stand in the token, too. */
function fitting(scopes: readonly Scope[], { grants }: Identity): readonly Scope[] {
  let bytes = grants ? JSON.stringify(grants).length : 0;
  const end = scopes.findIndex((scope) => {
    bytes += JSON.stringify({ ...scope, refused: [] }).length;
    return bytes > MAX_TOKEN_ACCESS_BYTES;
  });
  return end < 0 ? scopes : scopes.slice(0, end);
}

const describe = ({ type, name, actions }: AccessEntry) => `${type}:${name}:${actions.join(',')}`;

async function refusal(
  call: Call,
  { refusals }: Authentication,
  {
    asked,
    outcome,
  }: { readonly asked: TokenRequest; readonly outcome: Exclude<LoginOutcome, { is: 'known' }> },
): Promise<RegistryError> {
  const { credentials, refreshToken } = asked;
  if (outcome.is === 'limited') return tooManyLogins(outcome.retryAfterSeconds);
  const claimed = refreshToken === undefined ? claimedName(credentials?.username ?? '') : 'refresh token';
  await refusals.record(call.registry, recordOf(call, `?${claimed}`, 401, outcome.why));
  const why =
    refreshToken === undefined ? 'incorrect user name or password' : 'the refresh token is not valid';
  return loginRefused(outcome.why ?? why, outcome.cause);
}

function recordOf(
  { registry, request, address }: Call,
  principal: string,
  status: number,
  target: string | undefined,
): AuditRecord {
  return {
    time: registry.now(),
    principal,
    operation: 'token.issue',
    outcome: status === 200 ? 'allowed' : 'refused',
    status,
    target,
    address,
    userAgent: request.headers.get('user-agent') ?? '',
  };
}
