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

/** Every form clients send: a parameter for each scope, or several in one with spaces between. What is no scope of this
 *  registry grants nothing, so it is left out. The same thing asked twice is one scope, in the later place. */
export function parseScopes(parameters: readonly string[]): readonly Scope[] {
  const scopes = new Map<string, Scope>();
  for (const text of parameters.flatMap((parameter) => parameter.split(/\s+/))) {
    const scope = parseScope(text);
    if (!scope) continue;
    const key = `${scope.type}:${scope.name}`;
    const asked = [...(scopes.get(key)?.actions ?? []), ...scope.actions];
    const actions = ACTIONS.filter((action) => asked.includes(action));
    scopes.delete(key);
    scopes.set(key, { ...scope, actions });
  }
  return [...scopes.values()];
}

/** The scopes in the order in which they are wanted. A client that keeps one token for a registry asks for all that it has
 *  ever needed: regclient names what it needs now last, go-containerregistry first, and the newest of the others are more
 *  likely needed again. */
export function byUrgency(scopes: readonly Scope[]): readonly Scope[] {
  const [first, ...others] = scopes;
  if (!first) return [];
  const [last, ...rest] = others.reverse();
  return last ? [last, first, ...rest] : [first];
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

/** The same repository, with all that can be done there. */
export const widened = (scope: Scope): Scope =>
  scope.type === 'repository' ? { ...scope, actions: REPOSITORY_ACTIONS } : scope;

export function formatScope({ type, name, actions }: Scope): string {
  return `${type}:${name}:${actions.join(',')}`;
}
