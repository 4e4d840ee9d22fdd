import { PLAIN_SESSION_SECONDS, SESSION_SECONDS } from '../limits.ts';
import { foreignPage } from '../oci/host-errors.ts';

/** What the page sends with each request (the front door drops names in x-stowage-), and no page of another origin can without asking first. */
const PAGE_HEADER = 'stowage-page';

const SAFE = ['GET', 'HEAD'];

/** How long a session lasts in a browser that reaches the registry at `origin`. */
export const sessionSeconds = (origin: string) =>
  isSecure(origin) ? SESSION_SECONDS : PLAIN_SESSION_SECONDS;

/** The session in a request's cookie, where the registry's own page has sent it. Throws where another one would change something
 *  by it; what another page asks for is answered as to a stranger. */
export function sessionTextOf({ method, headers }: Request, origin: string): string | undefined {
  const text = cookieIn(headers, origin);
  if (text === undefined || isOwnPage(headers)) return text;
  if (!SAFE.includes(method)) throw foreignPage();
  return undefined;
}

/** Throws unless the registry's own page has sent the request: nobody is to be logged in by another page as somebody else. */
export function requireOwnPage({ headers }: Request): void {
  if (!isOwnPage(headers)) throw foreignPage();
}

/** Browsers say where a request comes from wherever the page is worth trusting; where they do not, a header of ours does, which
 *  other origins may not send. */
function isOwnPage(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site');
  return site === null ? headers.get(PAGE_HEADER) === '1' : site === 'same-origin';
}

/** Puts the session into the browser: no script reads it, no other site has it sent. */
export const keepSession = (origin: string, text: string) => cookie(origin, text, sessionSeconds(origin));

/** Takes it out again. */
export const dropSession = (origin: string) => cookie(origin, '', 0);

function cookie(origin: string, value: string, seconds: number): string {
  const secure = isSecure(origin) ? '; Secure' : '';
  return `${nameOf(origin)}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`;
}

function cookieIn(headers: Headers, origin: string): string | undefined {
  const name = nameOf(origin);
  const cookies = (headers.get('cookie') ?? '').split(';').map((text) => text.trim());
  return cookies.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1);
}

const isSecure = (origin: string) => origin.startsWith('https:');

/** Not every browser takes a secure cookie over plain HTTP, and cookies do not know ports. */
function nameOf(origin: string): string {
  return isSecure(origin) ? '__Host-stowage' : `stowage-${new URL(origin).port || '80'}`;
}
