import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorResponse } from '../../functions/http/error-response.ts';
import { createRouter, type Params } from '../../functions/http/router.ts';
import { refusePages } from '../../functions/http/web-pages.ts';
import { denied, nameInvalid, RegistryError, sizeInvalid } from '../../functions/oci/errors.ts';
import { parseRepositoryName, type RepositoryName } from '../../functions/oci/reference.ts';
import type { Credential } from '../log-in.ts';
import type { Display } from '../push/display.ts';
import { Spool } from './spool.ts';
import { Uploads } from './uploads.ts';
import { pushScope, Upstream } from './upstream.ts';

interface ProxyOptions {
  /** Of the registry, without a slash at the end. */
  readonly url: string;
  readonly credential: Credential | undefined;
  readonly host: string;
  readonly port: number;
  /** What clients may call the proxy, besides `localhost` and its kin. */
  readonly names: readonly string[];
  readonly display: Display;
  /** Where uploads wait. @default the folder for temporary files */
  readonly spool?: string;
}

export interface RunningProxy {
  readonly url: string;
  /** Ends what is under way, and leaves nothing behind. */
  close(): Promise<void>;
}

/** What the proxy answers itself, and what it passes on. */
const ROUTES = [
  { path: '/v2/<name>/blobs/uploads/', methods: ['POST'], is: 'upload' },
  { path: '/v2/<name>/blobs/uploads/<session>', methods: ['GET', 'PATCH', 'PUT', 'DELETE'], is: 'upload' },
  { path: '/v2/<name>/blobs/<digest>', methods: ['GET'], is: 'passed' },
  { path: '/v2/<name>/blobs/<digest>', methods: ['DELETE'], is: 'deletion' },
  { path: '/v2/<name>/manifests/<reference>', methods: ['GET', 'PUT'], is: 'passed' },
  { path: '/v2/<name>/manifests/<reference>', methods: ['DELETE'], is: 'deletion' },
  { path: '/v2/<name>/tags/list', methods: ['GET'], is: 'passed' },
  { path: '/v2/<name>/referrers/<digest>', methods: ['GET'], is: 'passed' },
  { path: '/v2/_catalog', methods: ['GET'], is: 'listing' },
  { path: '/v2/', methods: ['GET'], is: 'listing' },
].flatMap(({ methods, ...route }) => methods.map((method) => ({ ...route, method })));

/** As large as registries take them; a body that is passed on is in memory. */
const MAX_PASSED_BYTES = 4 * 1024 * 1024;

const foreign = () =>
  denied(
    'stowage proxy answers as localhost and by the names that --name gives it, and no web page: use the address that it printed',
  );

/** A registry on this machine that has another one keep everything, by the login that it was given: it takes uploads as clients
 *  send them, and sends them on as `stowage push` does. */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const ending = new AbortController();
  const { signal } = ending;
  const spool = await Spool.open(options.spool);
  const upstream = new Upstream({ ...options, signal });
  const uploads = new Uploads({ ...options, spool, upstream, signal });
  const names = { hosts: options.names, any: false };
  const dispatch = dispatcher(upstream, uploads);
  const server = createServer((incoming, outgoing) => {
    void answer(incoming, names, dispatch).then((response) => write(response, incoming, outgoing));
  });
  server.requestTimeout = 0; // a layer takes as long as it takes
  await once(server.listen(options.port, options.host), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    async close() {
      ending.abort();
      server.close();
      server.closeAllConnections();
      await spool.close();
    },
  };
}

type Dispatch = (incoming: IncomingMessage, headers: Headers) => Promise<Response>;

async function answer(
  incoming: IncomingMessage,
  names: Parameters<typeof refusePages>[2]['names'],
  dispatch: Dispatch,
): Promise<Response> {
  try {
    const headers = headersIn(incoming);
    expectNamed(incoming, headers, names);
    return await dispatch(incoming, headers);
  } catch (error) {
    if (!(error instanceof RegistryError)) process.stderr.write(`stowage proxy: ${error}\n`);
    return errorResponse(error, '');
  }
}

/** A page that has the DNS point its own name here would act by the login of the proxy. */
function expectNamed(
  { method = '' }: IncomingMessage,
  headers: Headers,
  names: Parameters<typeof refusePages>[2]['names'],
): void {
  try {
    const request = { method, headers } as Request;
    refusePages(request, headers.get('host') ?? '', { names, isOpen: true, isProbe: false });
  } catch {
    throw foreign();
  }
}

function dispatcher(upstream: Upstream, uploads: Uploads): Dispatch {
  const match = createRouter(ROUTES);
  return async (incoming, headers) => {
    const { method = '', url = '' } = incoming;
    const { pathname, search, searchParams: query } = new URL(url, 'http://proxy');
    const found = match(method, pathname);
    if (found.is !== 'found')
      throw new RegistryError('UNSUPPORTED', `stowage proxy has no ${method} here`, {
        status: found.is === 'unknown' ? 404 : 405,
      });
    const { endpoint, params } = found;
    if (endpoint.is === 'upload') {
      const upload = { method, repository: nameIn(params), id: params['session'] ?? '', query, headers };
      return uploads.answer({ ...upload, body: incoming });
    }
    const scope =
      endpoint.is === 'listing' ? 'registry:catalog:*' : scopeOf(nameIn(params), endpoint.is === 'deletion');
    return upstream.pass({
      method,
      path: `${pathname}${search}`,
      headers,
      scope,
      body: await bodyOf(incoming),
    });
  };
}

const scopeOf = (name: RepositoryName, deletes: boolean) =>
  deletes ? `repository:${name}:delete` : pushScope(name);

function nameIn(params: Params): RepositoryName {
  const text = params['name'] ?? '';
  const name = parseRepositoryName(text);
  if (!name) throw nameInvalid(text);
  return name;
}

function headersIn({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(headersDistinct))
    for (const value of values) headers.append(name, value);
  return headers;
}

async function bodyOf(incoming: IncomingMessage): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > MAX_PASSED_BYTES) throw sizeInvalid(`the body is larger than ${MAX_PASSED_BYTES} bytes`);
    chunks.push(chunk);
  }
  return size === 0 ? undefined : Buffer.concat(chunks);
}

async function write(response: Response, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  outgoing.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) outgoing.setHeader(name, value);
  // A client that is told before it has sent all would find its connection broken: what is left is read and thrown away.
  incoming.resume();
  if (!response.body || incoming.method === 'HEAD') {
    await response.body?.cancel();
    if (!response.headers.has('content-length') && ![204, 304].includes(response.status))
      outgoing.setHeader('Content-Length', 0);
    outgoing.end();
    return;
  }
  await pipeline(Readable.fromWeb(response.body), outgoing).catch(() => outgoing.destroy());
}
