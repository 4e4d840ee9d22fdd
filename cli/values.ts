import { InvalidArgumentError } from 'commander';
import type { Grant } from '../api/types.ts';
import { type Digest, parseDigest } from '../functions/oci/digest.ts';
import { parseRepositoryName, parseTag, type RepositoryName, type Tag } from '../functions/oci/reference.ts';
import { misuse } from './failure.ts';

export const ACTIONS = ['pull', 'push', 'delete', 'admin'] as const;

/** `team-a/*:pull,push` */
export function grantValue(text: string): Grant {
  const [, pattern = '', list = ''] = /^(.+):([^:]+)$/.exec(text) ?? [];
  const actions = list.split(',');
  if (pattern === '' || !actions.every((action) => ACTIONS.some((known) => known === action))) {
    throw new InvalidArgumentError(`It looks like 'team-a/*:pull,push'; there are ${ACTIONS.join(', ')}.`);
  }
  return { pattern, actions };
}

export const grantText = ({ pattern, actions }: Grant) => `${pattern}:${actions.join(',')}`;
export const grantsText = (grants: readonly Grant[] | undefined) => (grants ?? []).map(grantText).join(' ');

/** Gathers the values of an option that may be repeated. */
export const many =
  <T>(parse: (text: string) => T) =>
  (text: string, before: readonly T[] = []): readonly T[] => [...before, parse(text)];

export const asText = (text: string) => text;

/** `repository=org/app` */
export function claimValue(text: string): readonly [name: string, pattern: string] {
  const [, name, pattern] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (!name || !pattern) throw new InvalidArgumentError("It looks like 'repository=org/app'.");
  return [name, pattern];
}

export function countValue(text: string): number {
  const count = Number(text);
  if (/^\d{1,6}$/.test(text) && count > 0) return count;
  throw new InvalidArgumentError('It is a whole number above 0.');
}

/** `12.5` or `12.5%` */
export function percentValue(text: string): number {
  const percent = Number(text.replace(/%$/, ''));
  if (percent > 0 && percent <= 100) return percent;
  throw new InvalidArgumentError('It is a percentage above 0, and 100 at most.');
}

/** `manifest.put`, `user` */
export function operationValue(text: string): string {
  if (/^[a-z]{1,30}(?:\.[a-z]{1,30})?$/.test(text)) return text;
  throw new InvalidArgumentError("It looks like 'manifest.put', or 'manifest' for all of its kind.");
}

export function repositoryValue(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name) return name;
  throw new InvalidArgumentError(
    'It is no repository name: lower-case letters, digits, and . _ - / between.',
  );
}

export interface Image {
  readonly repository: RepositoryName;
  readonly tag: Tag;
}

/** `team-a/app:v1` */
export function imageValue(text: string): Image {
  const [, name = '', tagText = ''] = /^(.+):([^:]+)$/.exec(text) ?? [];
  const tag = parseTag(tagText);
  if (!tag) throw new InvalidArgumentError("It looks like 'team-a/app:v1'.");
  return { repository: repositoryValue(name), tag };
}

export interface Restorable {
  readonly repository: RepositoryName;
  readonly tag?: Tag;
  readonly digest?: Digest;
}

/** `team-a/app`, `team-a/app:v1` or `team-a/app@sha256:…` */
export function restorableValue(text: string): Restorable {
  const [name = '', digestText] = text.split('@');
  if (digestText === undefined)
    return /:[^/]*$/.test(text) ? imageValue(text) : { repository: repositoryValue(text) };
  return { repository: repositoryValue(name), digest: digestValue(digestText) };
}

/** `team-a/app:v1` or `team-a/app@sha256:…` */
export function referenceValue(text: string): Restorable {
  const { repository, ...reference } = restorableValue(text);
  if (reference.tag ?? reference.digest) return { repository, ...reference };
  throw new InvalidArgumentError("It looks like 'team-a/app:v1', or 'team-a/app@sha256:…'.");
}

export interface Purgeable {
  readonly repository?: RepositoryName;
  readonly digest: Digest;
}

/** `sha256:…`, or `team-a/app@sha256:…` */
export function purgeableValue(text: string): Purgeable {
  const [name = '', digestText] = text.split('@');
  return digestText === undefined
    ? { digest: digestValue(name) }
    : { repository: repositoryValue(name), digest: digestValue(digestText) };
}

export interface Held {
  readonly repository: RepositoryName;
  readonly digest: Digest;
}

/** `team-a/app@sha256:…` */
export function heldValue(text: string): Held {
  const [name = '', digest] = text.split('@');
  if (digest === undefined) throw new InvalidArgumentError("It looks like 'team-a/app@sha256:…'.");
  return { repository: repositoryValue(name), digest: digestValue(digest) };
}

export function digestValue(text: string): Digest {
  const digest = parseDigest(text);
  if (digest) return digest;
  throw new InvalidArgumentError("It looks like 'sha256:' and 64 hexadecimal digits.");
}

const MILLISECONDS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

/** Milliseconds of `24h` or `7d`. */
export function spanValue(text: string): number {
  const [, amount, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  if (Number(amount) > 0) return Number(amount) * MILLISECONDS[unit as 'm'];
  throw new InvalidArgumentError("It is a duration such as '24h' or '7d'.");
}

/** `24h` ago, `7d` ago, or an ISO 8601 date or time. */
export function timeValue(text: string): Date {
  const [, amount, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  if (amount && unit) return new Date(Date.now() - Number(amount) * MILLISECONDS[unit as 'm']);
  return dateValue(text, "It is a time such as '24h', '7d' or '2026-01-31'.");
}

export function dateValue(text: string, advice = "It is a date such as '2026-12-31'."): Date {
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new InvalidArgumentError(advice);
  return new Date(time);
}

export interface Validity {
  readonly days?: number;
  readonly until?: Date;
}

/** When a credential ends, as the API wants it; absent where it does not. */
export function validUntil({ days, until }: Validity): { readonly validUntil?: string } {
  if (days !== undefined && until) throw misuse('--days and --until exclude each other');
  const end = days === undefined ? until : new Date(Date.now() + days * MILLISECONDS.d);
  return end ? { validUntil: end.toISOString() } : {};
}

export const isLoopback = (hostname: string) => /^(?:127(?:\.\d+){3}|\[::1\]|localhost)$/.test(hostname);

/** The address of a registry: `registry.example.com` is https, `127.0.0.1:5000` is http. */
export function registryUrl(text: string): string {
  const given = /^https?:\/\//.test(text) ? text : `https://${text}`;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.pathname !== '/' || url.search || url.hash || url.username) {
    throw misuse(`not the address of a registry, such as https://registry.example.com: ${text}`);
  }
  if (given !== text && isLoopback(url.hostname)) url.protocol = 'http:';
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw misuse(`passwords must not cross a network in the clear: use https://${url.host}`);
  }
  return url.origin;
}
