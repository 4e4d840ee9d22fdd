import { readFileSync } from 'node:fs';
import { Failure, PassingFailure, Unreachable } from './failure.ts';
import { printable } from './text.ts';

/** Long enough for a registry that has to start first. */
const TIMEOUT_MS = 60_000;

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export { version };
export const USER_AGENT = `stowage-cli/${version}`;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed JSON; `undefined` where there is no body. */
  readonly body: unknown;
}

/** One request; rejects with what a person can do about a registry that cannot be reached. */
export async function exchange(url: string, init: RequestInit): Promise<Answer> {
  const headers = new Headers(init.headers);
  headers.set('User-Agent', USER_AGENT);
  headers.set('Accept', 'application/json, application/problem+json');
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = init.signal ? AbortSignal.any([timeout, init.signal]) : timeout;
  try {
    const response = await fetch(url, { ...init, headers, signal, redirect: 'manual' });
    return { status: response.status, headers: response.headers, body: parse(await response.text()) };
  } catch (error) {
    throw unreachable(url, error);
  }
}

/** What to say of a request that got no answer. */
export function unreachable(url: string, error: unknown): Failure {
  const cause = (error instanceof Error && error.cause ? error.cause : error) as NodeJS.ErrnoException;
  const code = cause.code ?? '';
  const message = `cannot reach ${new URL(url).origin}: ${reasonOf(cause, code)}`;
  return isTls(code) ? new Failure(message) : new Unreachable(message);
}

export function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

const UNTRUSTED = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];

const isTls = (code: string) => UNTRUSTED.includes(code) || code.startsWith('ERR_SSL');

function reasonOf(cause: Error, code: string): string {
  if (UNTRUSTED.includes(code)) return `its certificate is not trusted (${code}); name its CA with --ca FILE`;
  if (code.startsWith('ERR_SSL')) return `it does not speak TLS as expected there (${code})`;
  return cause.message || code || String(cause);
}

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly path?: string; readonly message?: string }[];
}

/** Why the registry refused: its own words, from a problem document or from the specification's error body. */
export function refusalOf({ status, headers, body }: Answer): Failure {
  const { title, detail, errors = [] } = (body ?? {}) as Problem;
  const fields = errors.filter(({ path }) => path !== undefined);
  const lines = fields.map(({ path, message }) => `\n  ${printable(`${path || 'body'}: ${message}`)}`);
  const reason = detail ?? (fields.length === 0 ? errors[0]?.message : undefined) ?? title;
  const text = printable(reason ?? `the registry answered ${status}`) + lines.join('');
  const message = text + adviceFor(status, headers);
  return isPassing(status) ? new PassingFailure(message, waitOf(headers)) : new Failure(message);
}

const isPassing = (status: number) => status === 408 || status === 429 || status >= 500;

/** Seconds that the registry asks to wait. */
function waitOf(headers: Headers): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}

function adviceFor(status: number, headers: Headers): string {
  if (status >= 300 && status < 400) return `: it sends its clients to ${headers.get('location')}`;
  if (status !== 429) return '';
  const seconds = waitOf(headers);
  return seconds === undefined ? '' : `; try again in ${waitText(seconds)}`;
}

function waitText(seconds: number): string {
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} minutes`;
}
