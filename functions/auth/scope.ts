import { parseRepositoryName } from '../oci/reference.ts';

/** Something a client asks a token for. https://distribution.github.io/distribution/spec/auth/scope/ */
export interface Scope {
  readonly type: 'repository' | 'registry';
  /** A repository; `catalog` or `api`. */
  readonly name: string;
  readonly actions: readonly string[];
}

const REPOSITORY_ACTIONS = ['pull', 'push', 'delete'];
/** In the order in which a scope names them. */
const ACTIONS = [...REPOSITORY_ACTIONS, '*'];
const REGISTRY_NAMES = ['catalog', 'api'];

/** Ours: clients ask for two or three; a token has to fit into a header. */
const MAX_SCOPES = 50;

/** Every form clients send: a parameter for each scope, or several in one with spaces between. What is no scope of
 *  this registry grants nothing, so it is left out. The same thing asked twice is one scope. */
export function parseScopes(parameters: readonly string[]): readonly Scope[] {
  const scopes = new Map<string, Scope>();
  for (const text of parameters.flatMap((parameter) => parameter.split(/\s+/))) {
    const scope = parseScope(text);
    if (!scope) continue;
    const key = `${scope.type}:${scope.name}`;
    const asked = [...(scopes.get(key)?.actions ?? []), ...scope.actions];
    const actions = ACTIONS.filter((action) => asked.includes(action));
    if (scopes.has(key) || scopes.size < MAX_SCOPES) scopes.set(key, { ...scope, actions });
  }
  return [...scopes.values()];
}

function parseScope(text: string): Scope | undefined {
  const [, type, name = '', actions = ''] =
    /^(repository|registry)(?:\([^)]*\))?:(.+):([^:]+)$/.exec(text) ?? [];
  const asked = actions.split(',');
  if (type === 'registry' && REGISTRY_NAMES.includes(name))
    return { type, name, actions: asked.includes('*') ? ['*'] : [] };
  if (type !== 'repository' || !parseRepositoryName(name)) return undefined;
  return {
    type,
    name,
    actions: REPOSITORY_ACTIONS.filter((action) => asked.includes(action) || asked.includes('*')),
  };
}

export function formatScope({ type, name, actions }: Scope): string {
  return `${type}:${name}:${actions.join(',')}`;
}
