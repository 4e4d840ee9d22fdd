import type { Credential } from '../log-in.ts';
import { printable } from '../text.ts';
import type { Answer, Call } from './http.ts';

/** What a token says of itself; only read, never trusted. */
interface Claims {
  readonly iat?: number;
  readonly exp?: number;
  readonly access?: readonly { readonly name: string; readonly actions: readonly string[] }[];
}

export interface IssuedToken {
  readonly text: string;
  readonly claims: Claims;
  /** Milliseconds since 1970, by this machine's clock. */
  readonly renewAfter: number;
}

/** The form that asks for a token, as containerd sends it. */
export function tokenForm(url: URL, credential: Credential, scopes: readonly string[]): Call {
  const form = new URLSearchParams({ client_id: 'stowage-doctor', service: url.host });
  for (const scope of scopes) form.append('scope', scope);
  if (credential.is === 'password') {
    form.set('grant_type', 'password');
    form.set('username', credential.username);
    form.set('password', credential.password);
  } else {
    form.set('grant_type', 'refresh_token');
    form.set('refresh_token', credential.refreshToken);
  }
  const bytes = Buffer.from(form.toString());
  return {
    method: 'POST',
    url: new URL('/token', url),
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: { chunks: [bytes], length: bytes.length },
  };
}

/** The token in an answer of the token endpoint; throws with the registry's words where there is none. */
export function tokenIn(answer: Answer): IssuedToken {
  const { token, access_token: accessToken, expires_in: seconds = 60 } = jsonOf(answer);
  const text = token ?? accessToken;
  if (answer.status !== 200 || typeof text !== 'string') throw new Error(`no token: ${describe(answer)}`);
  const half = (typeof seconds === 'number' ? seconds : 60) * 500;
  return { text, claims: partOf(text, 1) as Claims, renewAfter: Date.now() + half };
}

/** Part 0 (header) or 1 (claims) of a JWT. */
export function partOf(token: string, part: 0 | 1): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(token.split('.')[part] ?? '', 'base64url').toString('utf8'));
  } catch {
    return {};
  }
}

/** The same token under another header or with other claims, and therefore not signed. */
export function withHeader(token: string, header: Record<string, unknown>): string {
  const [, claims, signature] = token.split('.');
  return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${claims}.${signature}`;
}

function jsonOf({ body }: Pick<Answer, 'body'>): Record<string, unknown> {
  try {
    return (JSON.parse(body.toString('utf8')) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}

interface OciError {
  readonly code?: string;
  readonly message?: string;
}

/** The first error of an OCI error body. */
export function errorOf(answer: Answer): OciError {
  const { errors } = jsonOf(answer);
  return (Array.isArray(errors) ? (errors[0] as OciError | undefined) : undefined) ?? {};
}

const MAX_QUOTED = 400;

const MAX_FOREIGN = 100;

/** The start of a body that is not ours, such as a gateway's page. */
function plainText(body: Buffer): string {
  const text = body
    .toString('utf8')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return text.slice(0, MAX_FOREIGN);
}

/** An answer in a few words: its status and what it says. */
export function describe(answer: Answer): string {
  const { code, message } = errorOf(answer);
  const { detail } = jsonOf(answer);
  const text = message ?? (typeof detail === 'string' ? detail : plainText(answer.body));
  const words = [code, printable(text.slice(0, MAX_QUOTED))].filter(Boolean).join(': ');
  return words ? `${answer.status} (${words})` : `${answer.status}`;
}
