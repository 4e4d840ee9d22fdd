import { foreignHost, foreignPage } from '../oci/host-errors.ts';

/** What a registry is called, besides `localhost` and its kin. */
export interface Names {
  /** Hosts, each with or without a port, in lower case. */
  readonly hosts: readonly string[];
  /** Whether it may be called anything else as well. */
  readonly any: boolean;
}

/** What every browser takes for this machine, whatever the DNS says. */
const LOOPBACK = /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/;

/** A host with or without a port; nothing else of a URL has a place there. */
export const HOST = /^[\w.:[\]-]+$/;

/** An address, which no DNS can have point elsewhere. */
const ADDRESS = /^(?:\d+(?:\.\d+){3}|\[[\da-f:.]+\])$/;

/** What changes nothing, whoever sends it. */
const SAFE = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];

/** Throws where a web page that is not the registry's own sends the request, and could do or learn something by it; and where
 *  the host is none of the registry's names, which is how a page passes for the registry's own: it has the DNS point its
 *  name here. `isOpen`: nobody logs in, so that whatever a browser sends is obeyed. `isProbe`: it asks for the health alone, as load
 *  balancers do, which know a registry by its address. */
export function refusePages(
  { method, headers }: Request,
  host: string | null,
  { names, isOpen, isProbe }: { readonly names: Names; readonly isOpen: boolean; readonly isProbe: boolean },
): void {
  const called = HOST.test(host ?? '') ? urlOf(`http://${host}`) : undefined;
  const isCalled =
    names.any || isLoopback(called) || isNamed(called, names) || (isProbe && isAddress(called));
  if (host !== null && !isCalled) throw foreignHost(called?.host);
  if (!isOpen && SAFE.includes(method)) return;
  if (isForeign(headers, host, names)) throw foreignPage();
}

/** By what the browser says; clients of registries say nothing of the kind. */
function isForeign(headers: Headers, host: string | null, names: Names): boolean {
  const sent = headers.get('origin');
  const origin = urlOf(sent);
  if (isNamed(origin, names)) return false;
  const isOther = sent !== null && (!origin || origin.host !== urlOf(`${origin.protocol}//${host}`)?.host);
  return isOther || !['none', 'same-origin'].includes(headers.get('sec-fetch-site') ?? 'none');
}

const isLoopback = (url: URL | undefined) => LOOPBACK.test(url?.hostname ?? '');

const isAddress = (url: URL | undefined) => ADDRESS.test(url?.hostname ?? '');

const isNamed = (url: URL | undefined, { hosts }: Names) =>
  url !== undefined && (hosts.includes(url.host) || hosts.includes(url.hostname));

function urlOf(text: string | null): URL | undefined {
  return text !== null && URL.canParse(text) ? new URL(text) : undefined;
}
