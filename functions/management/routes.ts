import type { Call } from '../handlers/call.ts';

/** What the modules of this folder export. They and the schema library are loaded with the first call of the API: a
 *  pull does not wait for them. */
interface Module<K extends string> {
  readonly endpoints: Readonly<Record<K, { answer(call: Call): Promise<Response> }>>;
}

const BASE = '/api/v1';

const session = () => import('./session.ts');
const me = () => import('./me.ts');
const users = () => import('./users.ts');
const tokens = () => import('./tokens.ts');
const robots = () => import('./robots.ts');
const groups = () => import('./groups.ts');
const grants = () => import('./grants.ts');
const issuers = () => import('./issuers.ts');
const policies = () => import('./policies.ts');
const repositories = () => import('./repositories.ts');
const tags = () => import('./tags.ts');
const tagRows = () => import('./tag-rows.ts');
const tagChanges = () => import('./tag-changes.ts');
const images = () => import('./images.ts');
const manifests = () => import('./manifests.ts');
const sweep = () => import('./sweep.ts');
const restore = () => import('./restore.ts');
const previews = () => import('./previews.ts');
const confirmation = () => import('./policy-confirmation.ts');
const trash = () => import('./trash.ts');
const quotas = () => import('./quotas.ts');
const traffic = () => import('./traffic.ts');
const holds = () => import('./holds.ts');
const usage = () => import('./usage.ts');
const search = () => import('./search.ts');
const audit = () => import('./audit.ts');

const USER = `${BASE}/users/<user>`;
const ROBOT = `${BASE}/robots/<robot>`;
const GROUP = `${BASE}/groups/<group>`;
const ISSUER = `${BASE}/issuers/<issuer>`;
const POLICY = `${BASE}/policies/<policy>`;
const REPOSITORY = `${BASE}/repositories/<name>`;
/** No part of a repository's name is a hyphen alone: what follows it is no longer the name. */
const TAGS = `${REPOSITORY}/-/tags`;
const MANIFESTS = `${REPOSITORY}/-/manifests`;

/** What a change is answered with where nothing else is said. */
const USUAL = { POST: 201, PUT: 200, PATCH: 200, DELETE: 204 } as const;

/** The endpoints of the management API. The first that fits wins. */
export const MANAGEMENT_ROUTES = [
  {
    method: 'GET',
    path: `${BASE}/openapi.json`,
    need: 'nothing',
    operation: 'openapi.get',
    handler: async (call: Call): Promise<Response> =>
      (await import('./openapi.ts')).openApi(MANAGEMENT_ROUTES).answer(call),
  },
  // Writes its own record, once it knows who has logged in.
  { ...read(`${BASE}/session`, 'session.create', session), method: 'POST', need: 'nothing' },
  change('DELETE', `${BASE}/session`, 'session.end', session),
  read(`${BASE}/me/sessions`, 'session.list', session),
  change('DELETE', `${BASE}/me/sessions/<session>`, 'session.revoke', session),
  read(`${BASE}/me`, 'me.get', me),
  change('PUT', `${BASE}/me/password`, 'me.password', me, 204),
  read(`${BASE}/users`, 'user.list', users),
  change('POST', `${BASE}/users`, 'user.create', users),
  read(USER, 'user.get', users),
  change('PATCH', USER, 'user.change', users),
  change('DELETE', USER, 'user.delete', users),
  change('PUT', `${USER}/password`, 'user.password', users),
  read(`${USER}/tokens`, 'token.list', tokens),
  change('POST', `${USER}/tokens`, 'token.create', tokens),
  change('DELETE', `${USER}/tokens/<token>`, 'token.revoke', tokens),
  read(`${BASE}/robots`, 'robot.list', robots),
  change('POST', `${BASE}/robots`, 'robot.create', robots),
  read(ROBOT, 'robot.get', robots),
  change('PATCH', ROBOT, 'robot.change', robots),
  change('DELETE', ROBOT, 'robot.delete', robots),
  change('POST', `${ROBOT}/secret`, 'robot.secret', robots, 200),
  read(`${BASE}/groups`, 'group.list', groups),
  change('POST', `${BASE}/groups`, 'group.create', groups),
  read(GROUP, 'group.get', groups),
  change('DELETE', GROUP, 'group.delete', groups),
  change('PUT', `${GROUP}/members/<user>`, 'member.add', groups, 204),
  change('DELETE', `${GROUP}/members/<user>`, 'member.remove', groups),
  read(`${BASE}/grants`, 'grant.list', grants),
  change('PUT', `${BASE}/grants`, 'grant.set', grants),
  change('DELETE', `${BASE}/grants`, 'grant.remove', grants),
  read(`${BASE}/issuers`, 'issuer.list', issuers),
  change('PUT', ISSUER, 'issuer.set', issuers),
  change('DELETE', ISSUER, 'issuer.delete', issuers),
  read(`${BASE}/policies`, 'policy.list', policies),
  read(POLICY, 'policy.get', policies),
  change('PUT', POLICY, 'policy.set', policies),
  change('DELETE', POLICY, 'policy.delete', policies),
  change('POST', `${POLICY}/confirm`, 'policy.confirm', confirmation, 204),
  read(`${BASE}/waiting`, 'policy.waiting', confirmation),
  change('POST', `${BASE}/previews`, 'preview.begin', previews),
  read(`${BASE}/previews/<preview>`, 'preview.get', previews),
  view(`${BASE}/search`, 'search.find', search),
  view(`${BASE}/repositories`, 'repository.list', repositories),
  view(TAGS, 'tag.details', tags),
  view(`${REPOSITORY}/-/tag-names`, 'tag.names', tagRows),
  { ...view(`${TAGS}/query`, 'tag.query', tagRows), method: 'POST' },
  change('POST', `${TAGS}/delete`, 'tag.deleteMany', tagChanges, 200),
  view(`${TAGS}/<tag>`, 'tag.get', tags),
  change('PUT', `${TAGS}/<tag>`, 'tag.place', tagChanges),
  change('DELETE', `${TAGS}/<tag>`, 'tag.delete', tags),
  view(`${REPOSITORY}/-/images/<reference>`, 'image.get', images),
  view(MANIFESTS, 'manifest.list', manifests),
  view(`${MANIFESTS}/<digest>/tags`, 'manifest.tags', manifests),
  view(`${MANIFESTS}/<digest>/referrers`, 'manifest.referrers', manifests),
  change('POST', `${REPOSITORY}/-/sweep`, 'sweep.run', sweep, 200),
  view(`${TAGS}/<tag>/history`, 'tag.history', tags),
  change('POST', `${REPOSITORY}/-/restore`, 'repository.restore', restore, 200),
  read(`${REPOSITORY}/-/quota`, 'repository.quota', quotas),
  read(`${BASE}/quotas`, 'quota.list', quotas),
  read(`${BASE}/traffic`, 'traffic.get', traffic),
  read(`${REPOSITORY}/-/trash`, 'trash.list', trash),
  change('POST', `${REPOSITORY}/-/purge`, 'repository.purge', trash, 200),
  read(`${REPOSITORY}/-/retention`, 'retention.plan', previews),
  read(`${REPOSITORY}/-/holds`, 'hold.list', holds),
  change('PUT', `${REPOSITORY}/-/holds/<digest>`, 'hold.set', holds, 204),
  change('DELETE', `${REPOSITORY}/-/holds/<digest>`, 'hold.end', holds),
  read(`${REPOSITORY}/-/usage`, 'repository.usage', usage),
  view(REPOSITORY, 'repository.get', repositories),
  change('PUT', REPOSITORY, 'repository.set', repositories),
  change('PATCH', REPOSITORY, 'repository.change', repositories),
  change('DELETE', REPOSITORY, 'repository.delete', repositories),
  change('POST', `${BASE}/purge`, 'registry.purge', trash, 200),
  read(`${BASE}/audit`, 'audit.list', audit),
] as const;

/** Those that a registry without users has, too: there is nobody to manage, and no trail of what everybody did. */
export const OPEN_MANAGEMENT_ROUTES = MANAGEMENT_ROUTES.filter(({ path, operation }) =>
  ['repositories', 'search', 'policies', 'previews', 'waiting', 'quotas', 'purge', 'openapi.json'].some(
    (part) => path.split('/')[3] === part || operation === 'me.get',
  ),
);

function read<K extends string>(path: string, operation: K, load: () => Promise<Module<K>>) {
  return { method: 'GET', path, need: 'api', operation, handler: later(operation, load) } as const;
}

/** What is told of public repositories without a login, too. */
function view<K extends string>(path: string, operation: K, load: () => Promise<Module<K>>) {
  return { ...read(path, operation, load), need: 'view' } as const;
}

function change<K extends string>(
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  operation: K,
  load: () => Promise<Module<K>>,
  audited: number = USUAL[method],
) {
  return { method, path, need: 'api', operation, handler: later(operation, load), audited } as const;
}

function later<K extends string>(operation: K, load: () => Promise<Module<K>>) {
  return async (call: Call) => (await load()).endpoints[operation].answer(call);
}
