import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { digestOf } from '../../functions/oci/digest.ts';

// A front door before an embedded registry: takes large PUTs itself, refuses what has no lane, sends downloads elsewhere.
// It can be broken in each of the ways that the doctor is to find.

const MAX_INLINE = 4 * 1024 * 1024;
const MAX_DIRECT = 5 * 1024 ** 3;
const SECRET = randomUUID();
const UPLOAD = /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/;
const BLOB = /^\/v2\/.+\/blobs\/sha256:/;
const MANIFEST = /^\/v2\/.+\/manifests\//;
const PATCH_AGENT = /^docker\/(?!.*containerd-client)|containers\/|go-containerregistry/;
const CURE = 'too large to pass through; use the containerd image store or stowage push';

/** What is broken: on, or to what extent. */
export type Faults = Readonly<Record<string, boolean | number>>;

interface Pending {
  readonly path: string;
  readonly digest: string;
  readonly bytes: Buffer;
  readonly authorization: string;
}

interface Visit {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly url: URL;
  readonly length: number | undefined;
}

interface Upstream {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

export class FrontDouble {
  faults: Faults = {};
  /** Whether there is a stream host. */
  stream = false;
  readonly #target: string;
  readonly #pending = new Map<string, Pending>();
  readonly #objects = new Set<string>();
  readonly #downloads = new Map<string, { readonly path: string; readonly authorization: string }>();
  readonly #cache = new Map<string, Upstream>();
  readonly #server = createServer((incoming, outgoing) => {
    this.#answer(incoming, outgoing).catch(() => outgoing.destroy());
  });

  constructor(target: string) {
    this.#target = target;
  }

  async start(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://front.invalid');
    const header = incoming.headers['content-length'];
    const visit = { incoming, outgoing, url, length: header === undefined ? undefined : Number(header) };
    if (url.pathname.startsWith('/closed/')) return this.#answerOrigin(visit);
    if (url.pathname.startsWith('/blobs/')) return this.#answerDownload(visit);
    if (incoming.method === 'PATCH' && this.#refusePatch(visit)) return;
    if (incoming.method === 'PUT' && (visit.length ?? 0) > MAX_INLINE) return this.#answerLarge(visit);
    await this.#pass(visit);
  }

  /** The way around the front door. */
  async #answerOrigin({ outgoing }: Visit): Promise<void> {
    outgoing.writeHead(this.faults['origin-open'] ? 401 : 403).end();
  }

  async #answerDownload({ incoming, outgoing, url }: Visit): Promise<void> {
    const { path, authorization } = this.#downloads.get(url.pathname) ?? { path: '/', authorization: '' };
    if (this.faults['redirect-broken']) return void outgoing.writeHead(403).end('<Error/>');
    const { range } = incoming.headers;
    const headers = { authorization, ...(range && !this.faults['redirect-without-range'] && { range }) };
    const answer = await this.#forward('GET', path, headers);
    outgoing.writeHead(answer.status, clean(answer.headers)).end(answer.body);
  }

  #refusePatch({ incoming, outgoing, length }: Visit): boolean {
    if (this.faults['patch-redirected']) {
      outgoing.writeHead(307, { location: '/elsewhere' }).end();
      return true;
    }
    if (this.faults['chunked-refused'] && length === undefined) {
      outgoing.writeHead(413).end('{"message":"Request Entity Too Large"}');
      return true;
    }
    const isOwn = PATCH_AGENT.test(incoming.headers['user-agent'] ?? '');
    const isRefused = length === undefined ? isOwn : length > MAX_INLINE;
    if (!isRefused || this.stream) return false;
    refuse(outgoing, 413, 'DENIED', CURE);
    return true;
  }

  async #answerLarge(visit: Visit): Promise<void> {
    const { outgoing, url } = visit;
    const [, repository, session] = UPLOAD.exec(url.pathname) ?? [];
    const refusal = this.faults['limits-unchecked'] ? undefined : limitRefusal(visit);
    if (refusal) return refuse(outgoing, ...refusal);
    if (!repository || !session) return;
    if (this.faults['edge-keys-stale']) return refuse(outgoing, 401, 'UNAUTHORIZED', 'unknown key');
    const [kid, expires = '', object = '', mac] = (url.searchParams.get('token') ?? '').split('.');
    const isRight = kid === 'key' && mac === macOf(repository, session, expires, object);
    if (!isRight && !this.faults['tokens-unchecked']) return refuse(outgoing, 403, 'DENIED', 'token');
    await this.#store(visit, {
      path: url.pathname,
      object,
      digest: url.searchParams.get('digest') ?? '',
    });
  }

  /** As S3 takes an object, and the front door turns its answer around. */
  async #store(
    { incoming, outgoing, length = 0 }: Visit,
    { path, object, digest }: { path: string; object: string; digest: string },
  ): Promise<void> {
    const { faults } = this;
    const bytes = await buffer(incoming);
    const s3 = (status: number, code: string) => void outgoing.writeHead(status).end(`<Code>${code}</Code>`);
    if (faults['headers-passed'] && incoming.headers['x-amz-copy-source']) return s3(501, 'NotImplemented');
    if (length > Number(faults['large-put-refused'] ?? Infinity)) return s3(400, 'EntityTooLarge');
    const isDamaged = digestOf('sha256', bytes) !== digest;
    if (isDamaged && !faults['checksum-ignored']) return s3(400, 'BadDigest');
    if (this.#objects.has(object) && !faults['no-if-none-match']) return s3(412, 'PreconditionFailed');
    this.#objects.add(object);
    this.#pending.set(path, { path, digest, bytes, authorization: incoming.headers.authorization ?? '' });
    if (!faults['events-lost']) {
      setTimeout(() => void this.#commit(), 300 + Number(faults['events-delayed'] ?? 0)).unref();
    }
    if (faults['viewer-response-missing']) return void outgoing.writeHead(200, { etag: '"x"' }).end();
    const location = path.replace(/uploads\/[^/]+$/, digest);
    outgoing.writeHead(201, { location, 'docker-content-digest': digest }).end();
  }

  /** Hands what was taken to the registry, as its event would. */
  async #commit(): Promise<void> {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const { path, digest, bytes, authorization } of all) {
      await this.#forward('PUT', `${path}?digest=${digest}`, { authorization }, bytes);
    }
  }

  async #pass(visit: Visit): Promise<void> {
    const { incoming, outgoing, url } = visit;
    const { method = 'GET', headers } = incoming;
    const body = await buffer(incoming);
    if (this.#asksForPending(visit)) await this.#commit();
    if (this.faults['cached'] && method === 'GET') {
      const known = this.#cache.get(url.pathname);
      if (known) return void outgoing.writeHead(known.status, clean(known.headers)).end(known.body);
    }
    const { 'content-length': _, 'transfer-encoding': __, 'x-stowage-host': forged, ...rest } = headers;
    const host = this.faults['host-believed'] && forged ? { host: forged } : {};
    const answer = await this.#forward(method, incoming.url ?? '/', { ...rest, ...host }, body);
    if (this.faults['cached'] && method === 'PUT') this.#remember(url.pathname, body);
    this.#change(answer, visit);
    outgoing.writeHead(answer.status, clean(answer.headers));
    outgoing.end(method === 'HEAD' ? undefined : answer.body);
  }

  #remember(path: string, body: Buffer): void {
    if (MANIFEST.test(path)) this.#cache.set(path, { status: 200, headers: {}, body });
  }

  /** Whoever may push makes the registry look for what went past it. */
  #asksForPending({ incoming, url }: Visit): boolean {
    if (this.faults['uploads-not-looked-for']) return false;
    const [, claims = ''] = (incoming.headers.authorization ?? '').split('.');
    const mayPush = Buffer.from(claims, 'base64url').includes('"push"');
    return mayPush && (BLOB.test(url.pathname) || MANIFEST.test(url.pathname));
  }

  #change(answer: Upstream, { incoming, url }: Visit): void {
    const { headers } = answer;
    const { faults } = this;
    if (faults['challenge-renamed'] && headers['www-authenticate']) {
      headers['x-amzn-remapped-www-authenticate'] = headers['www-authenticate'];
      delete headers['www-authenticate'];
    }
    if (faults['head-length-zero'] && incoming.method === 'HEAD') headers['content-length'] = '0';
    if (faults['digest-header-dropped']) delete headers['docker-content-digest'];
    if (faults['clock-skewed']) {
      headers['date'] = new Date(Date.now() + Number(faults['clock-skewed'])).toUTCString();
    }
    if (UPLOAD.test(`${headers['location']}`)) headers['location'] = this.#uploadLocation(headers);
    const isBlob = answer.status === 200 || answer.status === 206;
    if (isBlob && incoming.method === 'GET' && BLOB.test(url.pathname)) {
      this.#redirect(answer, incoming);
    }
  }

  #uploadLocation({ location }: Upstream['headers']): string {
    const path = `${location}`;
    const [, repository = '', session = ''] = UPLOAD.exec(path) ?? [];
    const [expires, object] = [`${Math.floor(Date.now() / 1000) + 3600}`, randomUUID()];
    const token = `key.${expires}.${object}.${macOf(repository, session, expires, object)}`;
    return `${this.faults['location-absolute'] ? 'http://127.0.0.1:1' : ''}${path}?token=${token}`;
  }

  /** The registry itself judges ranges that nothing satisfies; anything else is a redirect. */
  #redirect(answer: Upstream, { url = '', headers }: IncomingMessage): void {
    const path = `/blobs/${randomUUID()}`;
    this.#downloads.set(path, { path: url, authorization: headers.authorization ?? '' });
    delete answer.headers['content-range'];
    Object.assign(answer, { status: 307, body: Buffer.alloc(0) });
    const host = this.faults['redirect-below'] ? `http://s3.${headers.host}` : '';
    Object.assign(answer.headers, { location: host + path, 'content-length': '0' });
  }

  async #forward(
    method: string,
    path: string,
    headers: object,
    body: Buffer = Buffer.alloc(0),
  ): Promise<Upstream> {
    const outgoing = request(new URL(path, this.#target), {
      method,
      headers: { ...headers, 'content-length': body.length },
    });
    outgoing.end(body);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 502, headers: { ...answer.headers }, body: await buffer(answer) };
  }
}

const macOf = (...parts: readonly string[]) =>
  createHmac('sha256', SECRET).update(parts.join('\n')).digest('base64url');

function limitRefusal({ url, length = 0 }: Visit): readonly [number, string, string] | undefined {
  if (!UPLOAD.test(url.pathname)) return [413, 'SIZE_INVALID', 'manifest is too large'];
  if (length > MAX_DIRECT) return [413, 'DENIED', CURE];
  const digests = url.searchParams.getAll('digest');
  const isWellFormed = digests.length === 1 && /^sha256:[0-9a-f]{64}$/.test(digests[0] ?? '');
  return isWellFormed ? undefined : [400, 'DIGEST_INVALID', 'one digest'];
}

function refuse(outgoing: ServerResponse, status: number, code: string, message: string): void {
  outgoing.writeHead(status, { 'content-type': 'application/json' });
  outgoing.end(JSON.stringify({ errors: [{ code, message }] }));
}

function clean(headers: Upstream['headers']): Record<string, string | string[]> {
  const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...rest } = headers;
  return Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}
