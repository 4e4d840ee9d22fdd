import { digestOf } from '../../functions/oci/digest.ts';
import type { Deployment } from './deployment.ts';
import type { Answer, Headers } from './http.ts';
import { describe } from './tokens.ts';

export interface Download {
  /** What the registry itself answered. */
  readonly first: Answer;
  /** What held the bytes. */
  readonly last: Answer;
  /** Where they were, where that is not the registry's own answer. */
  readonly target?: URL;
}

/** Gets a blob as clients do: one redirect is followed, and the token goes along to the same host only. */
export async function download(
  deployment: Deployment,
  digest: string,
  headers: Headers = {},
): Promise<Download> {
  const first = await deployment.call('GET', deployment.path(`blobs/${digest}`), { headers });
  const { location } = first.headers;
  if (first.status < 300 || first.status >= 400 || !location) return { first, last: first };
  const target = new URL(location, deployment.url);
  const authorization = target.host === deployment.url.host ? await deployment.authorization('push') : {};
  const last = await deployment.send({
    method: 'GET',
    url: target,
    headers: { ...authorization, ...headers },
  });
  return { first, last, target };
}

/** The digest of what a blob's download gives, or what was answered instead. */
export async function downloaded(deployment: Deployment, digest: string): Promise<string> {
  const { last } = await download(deployment, digest);
  return last.status === 200 ? digestOf('sha256', last.body) : describe(last);
}
