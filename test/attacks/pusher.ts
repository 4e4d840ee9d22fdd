import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { Credentials } from '../clients/registry.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface Sent {
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
  readonly headers?: Record<string, string>;
}

/** Somebody who may push to some repositories, over HTTP, and tells what they are answered. */
export class Pusher {
  readonly #url: string;
  readonly #authorization: string;
  /** How many were answered so: `PATCH 202`. */
  readonly answers = new Map<string, number>();

  private constructor(url: string, authorization: string) {
    [this.#url, this.#authorization] = [url, authorization];
  }

  static async login(url: string, { username, password }: Credentials, ...scopes: string[]): Promise<Pusher> {
    const query = new URLSearchParams({ service: 'stowage' });
    for (const scope of scopes) query.append('scope', scope);
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const answer = await fetch(`${url}/token?${query}`, { headers: { authorization } });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return new Pusher(url, `Bearer ${((await answer.json()) as { token: string }).token}`);
  }

  /** `undefined` where the connection was cut, by either side. Whoever is answered before all is sent sends no more. */
  async send(
    method: string,
    path: string,
    { body = '', headers = {} }: Sent = {},
  ): Promise<Answer | undefined> {
    const isKnown = typeof body === 'string' || body instanceof Uint8Array;
    const length = isKnown ? { 'content-length': Buffer.byteLength(body) } : {};
    const outgoing = request(new URL(path, this.#url), {
      method,
      agent: false,
      headers: { authorization: this.#authorization, ...length, ...headers },
    });
    outgoing.on('error', () => undefined); // told by the events below
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    // Fails where its source does, or where the connection is closed meanwhile.
    void pipeline(isKnown ? [body] : body, outgoing).catch(() => undefined);
    try {
      const [incoming] = await answered;
      const answer = await text(incoming);
      this.#count(`${method} ${incoming.statusCode}`);
      return { status: incoming.statusCode ?? 0, headers: new Headers(flat(incoming.headers)), text: answer };
    } catch {
      this.#count(`${method} cut`);
      return undefined;
    } finally {
      outgoing.destroy();
    }
  }

  async open(repository: string): Promise<string | undefined> {
    const answer = await this.send('POST', `/v2/${repository}/blobs/uploads/`, { body: '' });
    return answer?.status === 202 ? (answer.headers.get('location') ?? '') : undefined;
  }

  /** A blob in one request after its POST. */
  async put(repository: string, bytes: Uint8Array): Promise<Answer | undefined> {
    const location = await this.open(repository);
    return location === undefined ? undefined : this.close(location, digestOf('sha256', bytes), bytes);
  }

  close(location: string, digest: Digest, body?: Sent['body']): Promise<Answer | undefined> {
    const separator = location.includes('?') ? '&' : '?';
    return this.send('PUT', `${location}${separator}digest=${digest}`, body === undefined ? {} : { body });
  }

  #count(what: string): void {
    this.answers.set(what, (this.answers.get(what) ?? 0) + 1);
  }
}

const flat = (headers: IncomingHttpHeaders) =>
  Object.entries(headers).map(([name, value]): [string, string] => [name, `${value}`]);

/** A body whose length nobody is told, in pieces of 64 KB. */
export async function* inPieces(length: number, pause: () => Promise<void> = async () => undefined) {
  for (let left = length; left > 0; left -= 65_536) {
    yield randomBytes(Math.min(left, 65_536)) as Uint8Array;
    await pause();
  }
}
