import { isUtf8 } from 'node:buffer';
import { MAX_FORM_BYTES } from '../limits.ts';
import { loginRefused, parameterInvalid } from '../oci/errors.ts';
import { type Readings, readAtMost } from './body.ts';
import { single } from './query.ts';

/** What a client sends to the token endpoint, in whichever form. */
export interface TokenRequest {
  /** Each may hold several, with spaces between. */
  readonly scopes: readonly string[];
  /** Absent for an anonymous token. */
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly refreshToken?: string;
  /** Whether the client would keep a refresh token. */
  readonly offline: boolean;
}

/** The token that a form of `POST /token/revoke` names. https://www.rfc-editor.org/rfc/rfc7009#section-2.1 */
export async function readRevocation(request: Request, readings?: Readings): Promise<string> {
  return required(await readForm(request, readings), 'token');
}

/** Reads `GET ?scope=&offline_token=` with Basic, and `POST` forms of the grant types `password` and
 *  `refresh_token`. */
export async function readTokenRequest(
  request: Request,
  query: URLSearchParams,
  readings?: Readings,
): Promise<TokenRequest> {
  if (request.method !== 'POST') {
    const credentials = basicCredentials(request.headers.get('authorization'));
    const offline = query.get('offline_token') === 'true';
    return { scopes: query.getAll('scope'), offline, ...(credentials && { credentials }) };
  }
  return formRequest(await readForm(request, readings));
}

function formRequest(form: URLSearchParams): TokenRequest {
  const scopes = form.getAll('scope');
  const grantType = single(form, 'grant_type');
  const offline = single(form, 'access_type') === 'offline';
  if (grantType === 'refresh_token') {
    return { scopes, offline: false, refreshToken: required(form, 'refresh_token') };
  }
  if (grantType !== 'password') throw parameterInvalid('grant_type is neither password nor refresh_token');
  const credentials = { username: required(form, 'username'), password: required(form, 'password') };
  return { scopes, offline, credentials };
}

async function readForm(request: Request, readings: Readings | undefined): Promise<URLSearchParams> {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/x-www-form-urlencoded\b/i.test(type)) {
    throw parameterInvalid('the body is not application/x-www-form-urlencoded');
  }
  const bytes = await readAtMost(request, MAX_FORM_BYTES, readings);
  if (!bytes) throw parameterInvalid(`the form is larger than ${MAX_FORM_BYTES} bytes`);
  return new URLSearchParams(new TextDecoder().decode(bytes));
}

function required(form: URLSearchParams, name: string): string {
  const value = single(form, name);
  if (!value) throw parameterInvalid(`${name} is missing`);
  return value;
}

/** https://www.rfc-editor.org/rfc/rfc7617; an empty name and password is how some clients say "none". */
function basicCredentials(header: string | null): TokenRequest['credentials'] {
  if (header === null) return undefined;
  const [, encoded] = /^basic +([A-Za-z0-9+/_=-]+)$/i.exec(header) ?? [];
  if (encoded === undefined) throw loginRefused('the token endpoint takes a user name and password (Basic)');
  const text = textOf(Buffer.from(encoded, 'base64'));
  const colon = text.indexOf(':');
  if (colon < 0) throw loginRefused('the credentials have no colon between name and password');
  const credentials = { username: text.slice(0, colon), password: text.slice(colon + 1) };
  if (credentials.username === '' && credentials.password === '') return undefined;
  if (credentials.password === '') throw loginRefused(EMPTY_PASSWORD);
  return credentials;
}

/** UTF-8; what is none is ISO-8859-1, as Java and old browsers send it. https://www.rfc-editor.org/rfc/rfc7617#section-2.1 */
const textOf = (bytes: Buffer) => bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');

/** Nothing was tried: it counts as no failure. */
const EMPTY_PASSWORD =
  'the password is empty. Where docker has logged in with a password, its file keeps a token in the place of it, which not every ' +
  'tool reads: log in with an access token or a robot';
