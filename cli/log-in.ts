import { type Answer, exchange, refusalOf } from './exchange.ts';
import { Failure } from './failure.ts';

/** What proves who asks. */
export type Credential =
  | { readonly is: 'password'; readonly username: string; readonly password: string }
  | { readonly is: 'refresh token'; readonly refreshToken: string };

const SCOPE = 'registry:api:*';
const CLIENT = 'stowage-cli';

/** An access token for the management API. */
export async function accessToken(url: string, credential: Credential): Promise<string> {
  const answer = await askForToken(url, formOf(credential));
  if (answer.status === 401) throw refusedLogin(url, credential, answer);
  return tokenIn(answer, 'access_token');
}

/** A refresh token, which stands for the password in later commands. */
export async function refreshToken(url: string, username: string, password: string): Promise<string> {
  const form = { ...formOf({ is: 'password', username, password }), access_type: 'offline' };
  const answer = await askForToken(url, form);
  if (answer.status === 404) throw new Failure(`${url} asks for no login, or is no Stowage registry`);
  return tokenIn(answer, 'refresh_token');
}

/** Ends a refresh token at its registry; answers whether the registry could be told. */
export async function revoke(url: string, token: string): Promise<boolean> {
  const answer = exchange(`${url}/token/revoke`, { method: 'POST', body: new URLSearchParams({ token }) });
  return answer.then(
    ({ status }) => status === 200,
    () => false,
  );
}

function formOf(credential: Credential): Record<string, string> {
  if (credential.is === 'refresh token') {
    return { grant_type: 'refresh_token', refresh_token: credential.refreshToken };
  }
  return { grant_type: 'password', username: credential.username, password: credential.password };
}

function askForToken(url: string, form: Readonly<Record<string, string>>): Promise<Answer> {
  const service = new URL(url).host;
  const body = new URLSearchParams({ ...form, client_id: CLIENT, service, scope: SCOPE });
  return exchange(`${url}/token`, { method: 'POST', body });
}

function tokenIn(answer: Answer, name: 'access_token' | 'refresh_token'): string {
  if (answer.status !== 200) throw refusalOf(answer);
  const token = ((answer.body ?? {}) as Record<string, unknown>)[name];
  if (typeof token === 'string') return token;
  throw new Failure('this login cannot be kept; use it with STOWAGE_USERNAME and STOWAGE_TOKEN instead');
}

function refusedLogin(url: string, credential: Credential, answer: Answer): Failure {
  const { message } = refusalOf(answer);
  return credential.is === 'password'
    ? new Failure(`STOWAGE_USERNAME and STOWAGE_TOKEN were refused: ${message}`)
    : new Failure(`${message}; log in again: stowage login ${url}`);
}
