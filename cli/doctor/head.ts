import type { Deployment } from './deployment.ts';
import type { Answer, Headers } from './http.ts';

interface Asked {
  readonly headers?: Headers;
  /** Whose token. @default 'push' */
  readonly as?: 'push' | 'pull';
}

/** HEAD as clients ask it: where the registry leaves a blob's length to its store, one redirect is followed, and the digest is
 *  that of the redirect. */
export async function headOf(deployment: Deployment, rest: string, asked: Asked = {}): Promise<Answer> {
  const first = await deployment.call('HEAD', deployment.path(rest), asked);
  const { location, 'docker-content-digest': digest } = first.headers;
  if (first.status !== 307 || !location) return first;
  const url = new URL(location, deployment.url);
  // As Go's clients do, which send the token along to the same host only.
  const isOurs = url.host === deployment.url.host;
  const headers = isOurs ? await deployment.authorization(asked.as ?? 'push') : {};
  const last = await deployment.send({ method: 'HEAD', url, headers });
  const identity = digest === undefined ? {} : { 'docker-content-digest': digest };
  return { ...last, headers: { ...identity, ...last.headers } };
}
