import { createPublicKey, createVerify } from 'node:crypto';
import type { EdgeRequest } from './edge-event.ts';
import { queryOf } from './event.ts';

/** A key group with one key in it. */
export interface TrustedKey {
  readonly id: string;
  /** PEM */
  readonly publicKey: string;
}

/** A refusal as CloudFront words it; `undefined` from `urlRefusal` means that the URL is good. */
export interface UrlRefusal {
  readonly code: 'MissingKey' | 'InvalidKey' | 'MalformedPolicy' | 'AccessDenied';
  readonly message: string;
}

interface Policy {
  readonly Resource: string;
  readonly Condition: {
    readonly DateLessThan: { readonly 'AWS:EpochTime': number };
    readonly DateGreaterThan?: { readonly 'AWS:EpochTime': number };
  };
}

interface Visit {
  readonly request: EdgeRequest;
  readonly key: TrustedKey;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The parameters that are CloudFront's own, and part of no URL that a policy names. */
const OWN = ['Policy', 'Signature', 'Key-Pair-Id', 'Expires', 'Hash-Algorithm'];

const ACCESS_DENIED: UrlRefusal = { code: 'AccessDenied', message: 'Access denied' };

/** What is wrong with a URL that has to be signed by a custom policy.
 *  https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html */
export function urlRefusal({ request, key, now }: Visit): UrlRefusal | undefined {
  const given = (name: string) => request.querystring[name]?.value ?? '';
  if (!given('Key-Pair-Id')) {
    return { code: 'MissingKey', message: 'Missing Key-Pair-Id query parameter or cookie value' };
  }
  if (given('Key-Pair-Id') !== key.id) return { code: 'InvalidKey', message: 'Unknown Key' };
  const text = unescaped(given('Policy'));
  const verifier = createVerify('RSA-SHA1').update(text);
  if (!verifier.verify(createPublicKey(key.publicKey), unescaped(given('Signature')))) return ACCESS_DENIED;
  const policy = policyIn(text.toString());
  if (!policy) return { code: 'MalformedPolicy', message: 'Malformed Policy' };
  const { DateLessThan, DateGreaterThan } = policy.Condition;
  const seconds = now / 1000;
  const isNow =
    seconds < DateLessThan['AWS:EpochTime'] && seconds >= (DateGreaterThan?.['AWS:EpochTime'] ?? 0);
  return isNow && isUrlOf(policy.Resource, urlOf(request)) ? undefined : ACCESS_DENIED;
}

/** CloudFront's own way to make base64 fit a query. */
const unescaped = (text: string) =>
  Buffer.from(text.replaceAll('-', '+').replaceAll('_', '=').replaceAll('~', '/'), 'base64');

function policyIn(text: string): Policy | undefined {
  try {
    const { Statement } = JSON.parse(text) as { Statement: readonly Policy[] };
    const [policy] = Statement;
    return Number.isInteger(policy?.Condition.DateLessThan['AWS:EpochTime']) ? policy : undefined;
  } catch {
    return undefined;
  }
}

/** Of the protocol, the host, the path and the query; an asterisk of a policy does not reach past its own part. */
type Url = readonly [string, string, string, string];

function urlOf({ uri, headers, querystring }: EdgeRequest): Url {
  const others = Object.entries(querystring).filter(([name]) => !OWN.includes(name));
  return ['https', headers['host']?.value ?? '', uri, queryOf(Object.fromEntries(others)).slice(1)];
}

function isUrlOf(resource: string, url: Url): boolean {
  const found = /^([^:]+):\/\/([^/]*)([^?]*)(?:\?(.*))?$/.exec(resource);
  if (!found) return resource === '*';
  const [, protocol = '', host = '', path = '', query] = found;
  // Where the path ends in an asterisk, whatever query there is will do.
  const rest = query ?? (path.endsWith('*') ? '*' : '');
  return [protocol, host, path, rest].every((pattern, index) => fits(pattern, url[index] ?? ''));
}

function fits(pattern: string, text: string): boolean {
  const source = pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${source.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text);
}
