/** The most of a request that decides who answers it. */
export interface Endpoint {
  readonly method: string;
  /** As the specification writes it: `/v2/<name>/blobs/<digest>`. */
  readonly path: string;
}

export type Params = Readonly<Record<string, string>>;

export type Match<E extends Endpoint> =
  | { readonly is: 'found'; readonly endpoint: E; readonly params: Params }
  | { readonly is: 'wrongMethod'; readonly allow: readonly string[] }
  | { readonly is: 'unknown' };

/** Names contain slashes, so the kind of resource is told by the end of the path: `<name>` takes all that the
 *  rest of its pattern leaves, any other parameter takes one segment. The first row that fits wins. */
export function createRouter<E extends Endpoint>(endpoints: readonly E[]) {
  const rows = endpoints.map((endpoint) => ({ endpoint, pattern: patternOf(endpoint.path) }));
  return (method: string, path: string): Match<E> => {
    const fitting = rows.filter(({ pattern }) => pattern.test(path));
    const rowFor = (wanted: string) => fitting.find(({ endpoint }) => endpoint.method === wanted);
    // What can be read can be asked about; hosts leave the body of an answer to HEAD out.
    const row = rowFor(method) ?? (method === 'HEAD' ? rowFor('GET') : undefined);
    if (row) return { is: 'found', endpoint: row.endpoint, params: row.pattern.exec(path)?.groups ?? {} };
    // `…/tags/query` fits `…/tags/<tag>`, too; it is told of as the document of the API names it.
    const own = fitting.filter(({ endpoint }) => endpoint.path === fitting[0]?.endpoint.path);
    if (own.length === 0) return { is: 'unknown' };
    return { is: 'wrongMethod', allow: [...new Set(own.map(({ endpoint }) => endpoint.method))] };
  };
}

/** In paths of the API `/-/` ends the name of a repository, of which no part is a hyphen alone. */
const NAME_UP_TO_HYPHEN = '(?<name>(?:(?!/-/).)+)';

function patternOf(path: string): RegExp {
  const source = path
    .replace(/\/$/, '/?')
    .replace('<name>', path.startsWith('/api/') ? NAME_UP_TO_HYPHEN : '(?<name>.+)')
    .replaceAll(/(?<!\?)<([a-z]+)>/g, '(?<$1>[^/]+)');
  return new RegExp(`^${source}$`, 's');
}
