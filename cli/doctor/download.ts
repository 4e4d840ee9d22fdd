import { digestOf } from '../../functions/oci/digest.ts';
import type { Deployment } from './deployment.ts';
import { EVERY_FAMILY, type Family } from './families.ts';
import { failed } from './finding.ts';
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

/** Gets a blob as clients do: one redirect is followed, where nothing speaks against it. */
export async function download(
  deployment: Deployment,
  digest: string,
  headers: Headers = {},
): Promise<Download> {
  const first = await deployment.call('GET', deployment.path(`blobs/${digest}`), { headers });
  const { location } = first.headers;
  if (first.status < 300 || first.status >= 400 || !location) return { first, last: first };
  if (!URL.canParse(location, deployment.url.href)) throw misled(`to no address: ${location}`, []);
  const target = new URL(location, deployment.url);
  checkTarget(deployment, first.status, target);
  // As Go's clients do, which send the token along to the same host only.
  const authorization = target.host === deployment.url.host ? await deployment.authorization('push') : {};
  const last = await deployment
    .send({ method: 'GET', url: target, headers: { ...authorization, ...headers } })
    .catch((error: Error) => {
      throw misled(`to ${target.host}, which gives no answer: ${error.message}`, EVERY_FAMILY);
    });
  return { first, last, target };
}

function checkTarget({ url }: Deployment, status: number, target: URL): void {
  if (status !== 307) throw misled(`with ${status}, not 307`, EVERY_FAMILY);
  const isBelow = target.hostname.endsWith(`.${url.hostname}`);
  if (isBelow) throw misled(`to ${target.hostname}, below ${url.hostname}`, ['containerd', 'podman']);
  const isInClear = url.protocol === 'https:' && target.protocol !== 'https:';
  if (isInClear) throw misled(`to plain HTTP: ${target.origin}`, EVERY_FAMILY);
}

const misled = (says: string, affects: readonly Family[]) =>
  failed(`a blob is redirected ${says}`, {
    affects,
    means: says.includes('below')
      ? 'they send their token along, and S3 answers 400: nothing can be pulled'
      : 'images cannot be pulled, by some clients or by all',
    cure: 'let downloads come from S3 itself, or from the same host (downloads: cdn), by its https address',
  });

/** The digest of what a blob's download gives, or what was answered instead. */
export async function downloaded(deployment: Deployment, digest: string): Promise<string> {
  const { last } = await download(deployment, digest);
  return last.status === 200 ? digestOf('sha256', last.body) : describe(last);
}
