import { parseReference, parseRepositoryName } from '../../functions/oci/reference.ts';

/** What an address of the page names. */
export type Place =
  | { readonly is: 'home' | 'login' | 'me' | 'nowhere' }
  | { readonly is: 'repository'; readonly repository: string; readonly view: string }
  | { readonly is: 'image'; readonly repository: string; readonly reference: string };

/** Reads `/r/team-a/app`, `/r/team-a/app:v1`, `/r/team-a/app@sha256:…` and `/r/team-a/app/-/untagged`, by the registry's own grammar. */
export function placeOf(path: string): Place {
  if (path === '/') return { is: 'home' };
  if (path === '/login' || path === '/me') return { is: path.slice(1) as 'login' | 'me' };
  const text = decoded(path.replace(/^\/r\//, ''));
  if (!path.startsWith('/r/')) return { is: 'nowhere' };
  const [, named = '', view = 'tags'] = /^(.*?)(?:\/-\/([a-z]+))?\/?$/.exec(text) ?? [];
  const [, repository = '', , reference] = /^([^:@]+)([:@](.+))?$/.exec(named) ?? [];
  if (!parseRepositoryName(repository)) return { is: 'nowhere' };
  if (reference === undefined) return { is: 'repository', repository, view };
  return parseReference(reference) ? { is: 'image', repository, reference } : { is: 'nowhere' };
}

export const repositoryAddress = (repository: string, view?: string) =>
  `/r/${repository}${view === undefined ? '' : `/-/${view}`}`;

/** Of a tag or a digest, as it is written behind a name: `:v1`, `@sha256:…`. */
export const imageAddress = (repository: string, reference: string) =>
  `/r/${repository}${reference.includes(':') ? '@' : ':'}${reference}`;

export const compareAddress = (repository: string, a: string, b: string) =>
  `${repositoryAddress(repository, 'compare')}?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`;

export const historyAddress = (repository: string, tag: string) =>
  `${repositoryAddress(repository, 'history')}?tag=${encodeURIComponent(tag)}`;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
