import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What a proxy does wrong before a deployment that is right. */
export type Spoil =
  /** A client's own x-stowage-host counts. */
  | 'host-believed'
  /** Docker-Content-Digest does not arrive. */
  | 'digest-header-dropped'
  /** Nothing is answered before the whole body has come. */
  | 'refused-late'
  /** x-amz-copy-source reaches S3, which refuses it beside a body. */
  | 'headers-passed'
  /** Downloads are sent to a name below the registry's. */
  | 'redirect-below'
  /** The registry does not look for an upload that its event has not told it of. */
  | 'uploads-not-looked-for'
  /** What was once pushed is answered from a cache. */
  | 'cached'
  /** What is too large is answered in words that are API Gateway's own. */
  | 'refused-in-other-words';

const MANIFEST = /\/manifests\//;

/** A proxy that can spoil what passes through it. */
export class Spoiler {
  spoil: Spoil | undefined;
  readonly #target: string;
  readonly #cache = new Map<string, Buffer>();
  readonly #server = createServer((incoming, outgoing) => {
    this.#pass(incoming, outgoing).catch(() => outgoing.destroy());
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

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const own = this.#ownAnswer(incoming);
    if (own) return void outgoing.writeHead(own.status).end(own.body);
    const body = await this.#readEarly(incoming);
    const { method, headers, url = '/' } = incoming;
    const onward = request(new URL(url, this.#target), { ...(method && { method }), headers });
    onward.on('error', () => outgoing.destroy());
    onward.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, this.#spoilt(answer.headers, incoming));
      answer.pipe(outgoing);
    });
    if (body) onward.end(body);
    else incoming.pipe(onward);
  }

  #ownAnswer({ method, url = '', headers }: IncomingMessage): Own | undefined {
    if (this.spoil === 'headers-passed' && headers['x-amz-copy-source']) {
      return { status: 501, body: '<Error><Code>NotImplemented</Code></Error>' };
    }
    if (this.spoil === 'uploads-not-looked-for' && method === 'PUT' && MANIFEST.test(url)) {
      return { status: 400, body: '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"unknown"}]}' };
    }
    if (this.spoil === 'refused-in-other-words' && method === 'PATCH') {
      return { status: 413, body: '{"message":"Request Entity Too Large"}' };
    }
    const cached = method === 'GET' ? this.#cache.get(url) : undefined;
    return this.spoil === 'cached' && cached ? { status: 200, body: cached } : undefined;
  }

  async #readEarly(incoming: IncomingMessage): Promise<Buffer | undefined> {
    const { method, url = '' } = incoming;
    if (this.spoil === 'refused-late') return await buffer(incoming);
    if (this.spoil !== 'cached' || method !== 'PUT' || !MANIFEST.test(url)) return undefined;
    const body = await buffer(incoming);
    this.#cache.set(url, body);
    return body;
  }

  #spoilt(headers: IncomingMessage['headers'], incoming: IncomingMessage): IncomingMessage['headers'] {
    const { 'docker-content-digest': digest, 'www-authenticate': challenge, location, ...rest } = headers;
    const forged = this.spoil === 'host-believed' ? incoming.headers['x-stowage-host'] : undefined;
    const isBelow = this.spoil === 'redirect-below' && location?.startsWith('http');
    const below = `http://s3.${incoming.headers.host}/`;
    return {
      ...rest,
      ...(digest && this.spoil !== 'digest-header-dropped' && { 'docker-content-digest': digest }),
      ...(challenge && {
        'www-authenticate': forged ? challenge.replace(/\/\/[^/"]*/, `//${forged}`) : challenge,
      }),
      ...(location && { location: isBelow ? below : location }),
    };
  }
}

interface Own {
  readonly status: number;
  readonly body: string | Buffer;
}
