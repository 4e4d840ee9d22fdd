import type { Rule } from './oracle.ts';

interface Endpoint {
  readonly rule: Rule;
  /** Whether a refusal is the 404 of an absent repository, for those who may not see it. */
  readonly hides: boolean;
  /** A path of the route; of a repository where it names one. */
  readonly send: (repository: string) => string;
  readonly body?: unknown;
}

const DIGEST = `sha256:${'0'.repeat(64)}`;
const UPLOAD = '00000000-0000-4000-8000-000000000000';

function registry(rule: Rule, rest: string): Endpoint {
  return { rule, hides: false, send: (repository) => `/v2/${repository}${rest}` };
}

const whole = (rule: Rule, path: string, body?: unknown): Endpoint => ({
  rule,
  hides: false,
  send: () => path,
  body,
});

/** Of the management API, about the repository. */
const managed = (rule: Rule, rest: string, body?: unknown): Endpoint => ({
  rule,
  hides: true,
  send: (repository) => `/api/v1/repositories/${repository}${rest}`,
  body,
});

/** Of the management API, about the registry. */
const admin = (rest: string, body?: unknown) => whole('registryAdmin', `/api/v1${rest}`, body);

const GRANT = { subject: 'user:nobody', pattern: 'elsewhere', actions: ['pull'] };

/** Who may use each route, and a request to it. */
export const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  'GET /healthz': whole('anybody', '/healthz'),
  'GET /readyz': whole('anybody', '/readyz'),
  'GET /v2/': whole('tokenHolders', '/v2/'),
  'GET /v2/_catalog': whole('tokenHolders', '/v2/_catalog'),
  'GET /token': whole('anybody', '/token'),
  'POST /token': whole('anybody', '/token'),
  'POST /token/revoke': whole('anybody', '/token/revoke'),
  'POST /v2/<name>/blobs/uploads/': registry('pusher', '/blobs/uploads/'),
  'GET /v2/<name>/blobs/uploads/<session>': registry('pusher', `/blobs/uploads/${UPLOAD}`),
  'PATCH /v2/<name>/blobs/uploads/<session>': registry('pusher', `/blobs/uploads/${UPLOAD}`),
  'PUT /v2/<name>/blobs/uploads/<session>': registry('pusher', `/blobs/uploads/${UPLOAD}?digest=${DIGEST}`),
  'POST /v2/<name>/blobs/uploads/<session>': registry('pusher', `/blobs/uploads/${UPLOAD}`),
  'DELETE /v2/<name>/blobs/uploads/<session>': registry('pusher', `/blobs/uploads/${UPLOAD}`),
  'GET /v2/<name>/blobs/<digest>': registry('puller', `/blobs/${DIGEST}`),
  'HEAD /v2/<name>/blobs/<digest>': registry('puller', `/blobs/${DIGEST}`),
  'DELETE /v2/<name>/blobs/<digest>': registry('deleter', `/blobs/${DIGEST}`),
  'GET /v2/<name>/manifests/<reference>': registry('puller', '/manifests/v1'),
  'HEAD /v2/<name>/manifests/<reference>': registry('puller', '/manifests/v1'),
  'PUT /v2/<name>/manifests/<reference>': registry('pusher', '/manifests/v1'),
  'DELETE /v2/<name>/manifests/<reference>': registry('deleter', '/manifests/v1'),
  'GET /v2/<name>/tags/list': registry('puller', '/tags/list'),
  'GET /v2/<name>/referrers/<digest>': registry('puller', `/referrers/${DIGEST}`),

  'GET /api/v1/users': admin('/users'),
  'POST /api/v1/users': admin('/users', {}),
  'GET /api/v1/users/<user>': admin('/users/nobody'),
  'PATCH /api/v1/users/<user>': admin('/users/nobody', {}),
  'DELETE /api/v1/users/<user>': admin('/users/nobody'),
  'PUT /api/v1/users/<user>/password': admin('/users/nobody/password', {}),
  'GET /api/v1/robots': admin('/robots'),
  'POST /api/v1/robots': admin('/robots', {}),
  'GET /api/v1/robots/<robot>': admin('/robots/nobody'),
  'PATCH /api/v1/robots/<robot>': admin('/robots/nobody', {}),
  'DELETE /api/v1/robots/<robot>': admin('/robots/nobody'),
  'POST /api/v1/robots/<robot>/secret': admin('/robots/nobody/secret', {}),
  'GET /api/v1/grants': admin('/grants'),
  'PUT /api/v1/grants': admin('/grants', GRANT),
  'DELETE /api/v1/grants': admin('/grants?subject=user:nobody&pattern=elsewhere'),
  'GET /api/v1/search': whole('anybody', '/api/v1/search?q=app'),
  'GET /api/v1/repositories': whole('anybody', '/api/v1/repositories'),
  'GET /api/v1/repositories/<name>': managed('viewer', ''),
  'PUT /api/v1/repositories/<name>': managed('repositoryAdmin', '', { visibility: 'private' }),
  'PATCH /api/v1/repositories/<name>': managed('repositoryAdmin', '', { visibility: 'private' }),
  'DELETE /api/v1/repositories/<name>': managed('repositoryAdmin', ''),

  'GET /api/v1/openapi.json': whole('anybody', '/api/v1/openapi.json'),
  'POST /api/v1/session': whole('anybody', '/api/v1/session', {}),
  'DELETE /api/v1/session': whole('loggedIn', '/api/v1/session'),
  'GET /api/v1/me/sessions': whole('passwordHolder', '/api/v1/me/sessions'),
  'DELETE /api/v1/me/sessions/<session>': whole('passwordHolder', '/api/v1/me/sessions/none'),
  'GET /api/v1/me': whole('loggedIn', '/api/v1/me'),
  'PUT /api/v1/me/password': whole('passwordHolder', '/api/v1/me/password', {}),
  'GET /api/v1/users/<user>/tokens': admin('/users/nobody/tokens'),
  'POST /api/v1/users/<user>/tokens': admin('/users/nobody/tokens', { description: '' }),
  'DELETE /api/v1/users/<user>/tokens/<token>': admin('/users/nobody/tokens/none'),
  'GET /api/v1/groups': admin('/groups'),
  'POST /api/v1/groups': admin('/groups', {}),
  'GET /api/v1/groups/<group>': admin('/groups/nobody'),
  'DELETE /api/v1/groups/<group>': admin('/groups/nobody'),
  'PUT /api/v1/groups/<group>/members/<user>': admin('/groups/nobody/members/nobody'),
  'DELETE /api/v1/groups/<group>/members/<user>': admin('/groups/nobody/members/nobody'),
  'GET /api/v1/issuers': admin('/issuers'),
  'PUT /api/v1/issuers/<issuer>': admin('/issuers/nobody', {}),
  'DELETE /api/v1/issuers/<issuer>': admin('/issuers/nobody'),
  'GET /api/v1/repositories/<name>/-/usage': managed('knownViewer', '/-/usage'),
  'GET /api/v1/repositories/<name>/-/retention': managed('repositoryAdmin', '/-/retention'),
  'GET /api/v1/repositories/<name>/-/holds': managed('repositoryAdmin', '/-/holds'),
  'PUT /api/v1/repositories/<name>/-/holds/<digest>': managed('repositoryAdmin', `/-/holds/${DIGEST}`, {
    reason: 'x',
  }),
  'DELETE /api/v1/repositories/<name>/-/holds/<digest>': managed('repositoryAdmin', `/-/holds/${DIGEST}`),
  'POST /api/v1/repositories/<name>/-/sweep': managed('repositoryAdmin', '/-/sweep', { dryRun: true }),
  'GET /api/v1/policies': whole('someAdmin', '/api/v1/policies'),
  'GET /api/v1/policies/<policy>': whole('someAdmin', '/api/v1/policies/nothing'),
  'PUT /api/v1/policies/<policy>': whole('someAdmin', '/api/v1/policies/nothing', {}),
  'DELETE /api/v1/policies/<policy>': whole('someAdmin', '/api/v1/policies/nothing'),
  'POST /api/v1/policies/<policy>/confirm': whole('someAdmin', '/api/v1/policies/nothing/confirm', {}),
  'GET /api/v1/waiting': whole('someAdmin', '/api/v1/waiting'),
  'POST /api/v1/previews': whole('someAdmin', '/api/v1/previews', {}),
  'GET /api/v1/previews/<preview>': whole('someAdmin', '/api/v1/previews/none'),
  'GET /api/v1/repositories/<name>/-/tag-names': managed('viewer', '/-/tag-names'),
  'POST /api/v1/repositories/<name>/-/tags/query': managed('viewer', '/-/tags/query', { names: ['v1'] }),
  'POST /api/v1/repositories/<name>/-/tags/delete': managed('deleter', '/-/tags/delete', { tags: ['v1'] }),
  'PUT /api/v1/repositories/<name>/-/tags/<tag>': managed('pusher', '/-/tags/v1', { digest: DIGEST }),
  'GET /api/v1/repositories/<name>/-/images/<reference>': managed('viewer', '/-/images/v1'),
  'GET /api/v1/repositories/<name>/-/manifests': managed('viewer', '/-/manifests'),
  'GET /api/v1/repositories/<name>/-/manifests/<digest>/tags': managed(
    'viewer',
    `/-/manifests/${DIGEST}/tags`,
  ),
  'GET /api/v1/repositories/<name>/-/manifests/<digest>/referrers': managed(
    'viewer',
    `/-/manifests/${DIGEST}/referrers`,
  ),
  'GET /api/v1/repositories/<name>/-/tags': managed('viewer', '/-/tags'),
  'GET /api/v1/repositories/<name>/-/tags/<tag>': managed('viewer', '/-/tags/v1'),
  'DELETE /api/v1/repositories/<name>/-/tags/<tag>': managed('deleter', '/-/tags/v1'),
  'GET /api/v1/repositories/<name>/-/tags/<tag>/history': managed('viewer', '/-/tags/v1/history'),
  'POST /api/v1/repositories/<name>/-/restore': managed('repositoryAdmin', '/-/restore', { tag: 'v1' }),
  'GET /api/v1/repositories/<name>/-/quota': managed('repositoryAdmin', '/-/quota'),
  'GET /api/v1/traffic': admin('/traffic'),
  'GET /api/v1/quotas': whole('someAdmin', '/api/v1/quotas'),
  'GET /api/v1/repositories/<name>/-/trash': managed('repositoryAdmin', '/-/trash'),
  'POST /api/v1/repositories/<name>/-/purge': managed('repositoryAdmin', '/-/purge', {
    digest: DIGEST,
    dryRun: true,
  }),
  'POST /api/v1/purge': admin('/purge', { digest: DIGEST, dryRun: true }),
  'GET /api/v1/audit': {
    rule: 'repositoryAdmin',
    hides: false,
    send: (repository) => `/api/v1/audit?repository=${repository}`,
  },
};
