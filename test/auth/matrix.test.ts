import { expect, it } from 'vitest';
import type { Grant } from '../../functions/identity/grants.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { directoryKey, repositoryKey } from '../../functions/registry/keys.ts';
import { setVisibility } from '../../functions/registry/repositories.ts';
import { ALL_ROUTES } from '../../functions/routes.ts';
import { ENDPOINTS } from './endpoints.ts';
import { type Kind, type State, type Verdict, verdictOn } from './oracle.ts';
import { type Login, openWorld, PRINCIPALS, sendAs, type World } from './world.ts';

// Principal kind × grant × repository state × endpoint: every combination is sent to the registry, and its answer is
// compared with what the oracle says. A route without a row in `endpoints.ts` fails.

const STATES: readonly State[] = ['absent', 'private', 'public'];
const repositoryIn = (state: State) => `team-a/${state}/app` as RepositoryName;

const GRANTS: Readonly<Record<string, readonly Grant[]>> = {
  'no grant': [],
  'pull on the repository': STATES.map((state) => ({ pattern: repositoryIn(state), actions: ['pull'] })),
  'push on its folder': [{ pattern: 'team-a/*', actions: ['push'] }],
  'delete on everything': [{ pattern: '*', actions: ['delete'] }],
  'pull and delete': [{ pattern: '*/app', actions: ['pull', 'delete'] }],
  'admin of its folder': [{ pattern: 'team-a/*', actions: ['admin'] }],
  'admin of everything': [{ pattern: '*', actions: ['admin'] }],
  'everything elsewhere': [
    { pattern: 'team-a', actions: ['admin'] },
    { pattern: 'team-a/private/app2', actions: ['push'] },
    { pattern: '*/team-a/*', actions: ['admin'] },
  ],
};

const KINDS: readonly Kind[] = ['user', 'member', 'token', 'limited', 'narrowed', 'robot', 'workload'];

const CASES = [
  { kind: 'stranger' as Kind, about: 'no grant' },
  ...KINDS.flatMap((kind) => Object.keys(GRANTS).map((about) => ({ kind, about }))),
];

it('has a row for every route, and none for a route that is gone', () => {
  const routes = ALL_ROUTES.map(({ method, path }) => `${method} ${path}`);
  expect(new Set(Object.keys(ENDPOINTS))).toEqual(new Set(routes));
});

it.each(CASES)(
  'a $kind with $about is let through where it should be, and nowhere else',
  async ({ kind, about }) => {
    const grants = GRANTS[about] ?? [];
    const world = await openWorld();
    const login = kind === 'stranger' ? undefined : await PRINCIPALS[kind](world, 'somebody', grants);
    const wrong: string[] = [];
    for (const state of STATES) {
      const repository = repositoryIn(state);
      for (const [route, { rule, send, body, hides }] of Object.entries(ENDPOINTS)) {
        await bringAbout(world, repository, state);
        const expected = verdictOn({ kind, grants, state, repository, rule, hides });
        const actual = await ask(world, login, route, send(repository), body);
        if (!agree(actual, expected)) wrong.push(`${state} ${route}: ${actual}, not ${expected}`);
      }
    }
    expect(wrong).toEqual([]);
  },
);

async function bringAbout({ registry }: World, repository: RepositoryName, state: State): Promise<void> {
  if (state !== 'absent') return setVisibility(registry, repository, state === 'public');
  await registry.table.write([{ remove: repositoryKey(repository) }, { remove: directoryKey(repository) }]);
}

async function ask(world: World, login: Login | undefined, route: string, path: string, body?: unknown) {
  const [method = ''] = route.split(' ');
  const json = { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
  const response = await sendAs(world, login, path, { method, ...(body !== undefined && json) });
  return response.status;
}

/** Whoever is let through may still be told that something is missing or malformed. */
function agree(status: number, expected: Verdict): boolean {
  return expected === 'through' ? status !== 401 && status !== 403 && status < 500 : status === expected;
}
