import type { Call } from '../handlers/call.ts';

/** What the modules of this folder export. They and the schema library are loaded with the first call of the API: a
 *  pull does not wait for them. */
interface Module<K extends string> {
  readonly endpoints: Readonly<Record<K, { answer(call: Call): Promise<Response> }>>;
}

const BASE = '/api/v1';

const users = () => import('./users.ts');
const robots = () => import('./robots.ts');
const grants = () => import('./grants.ts');
const repositories = () => import('./repositories.ts');

const USER = `${BASE}/users/<user>`;
const ROBOT = `${BASE}/robots/<robot>`;
const REPOSITORY = `${BASE}/repositories/<name>`;

/** The endpoints of the management API. The first that fits wins. */
export const MANAGEMENT_ROUTES = [
  read(`${BASE}/users`, 'user.list', users),
  change('POST', `${BASE}/users`, 'user.create', users),
  read(USER, 'user.get', users),
  change('PATCH', USER, 'user.change', users),
  change('DELETE', USER, 'user.delete', users),
  change('PUT', `${USER}/password`, 'user.password', users),
  read(`${BASE}/robots`, 'robot.list', robots),
  change('POST', `${BASE}/robots`, 'robot.create', robots),
  read(ROBOT, 'robot.get', robots),
  change('PATCH', ROBOT, 'robot.change', robots),
  change('DELETE', ROBOT, 'robot.delete', robots),
  change('POST', `${ROBOT}/secret`, 'robot.secret', robots),
  read(`${BASE}/grants`, 'grant.list', grants),
  change('PUT', `${BASE}/grants`, 'grant.set', grants),
  change('DELETE', `${BASE}/grants`, 'grant.remove', grants),
  read(`${BASE}/repositories`, 'repository.list', repositories),
  read(REPOSITORY, 'repository.get', repositories),
  change('PUT', REPOSITORY, 'repository.set', repositories),
  change('PATCH', REPOSITORY, 'repository.change', repositories),
  change('DELETE', REPOSITORY, 'repository.delete', repositories),
] as const;

function read<K extends string>(path: string, operation: K, load: () => Promise<Module<K>>) {
  return { method: 'GET', path, need: 'api', operation, handler: later(operation, load) } as const;
}

function change<K extends string>(
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  operation: K,
  load: () => Promise<Module<K>>,
) {
  return { method, path, need: 'api', operation, handler: later(operation, load), audited: true } as const;
}

function later<K extends string>(operation: K, load: () => Promise<Module<K>>) {
  return async (call: Call) => (await load()).endpoints[operation].answer(call);
}
