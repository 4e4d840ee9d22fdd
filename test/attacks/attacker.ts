import { randomBytes } from 'node:crypto';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { Credentials } from '../clients/registry.ts';

/** What Lambda takes in one request. */
const INLINE_BYTES = 4 * 1024 * 1024;

/** A body as it comes: pieces, each once its promise is kept. */
export type Slowly = readonly (Uint8Array | Promise<Uint8Array>)[];

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/** Somebody who may push to some repository, speaks HTTP as they like, and keeps to no order. */
export class Attacker {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  private constructor(url: string, token: string) {
    this.#url = url;
    this.#headers = { authorization: `Bearer ${token}` };
  }

  static async login(
    url: string,
    { username, password }: Credentials,
    ...repositories: string[]
  ): Promise<Attacker> {
    const query = new URLSearchParams({ service: 'stowage' });
    for (const name of repositories) query.append('scope', `repository:${name}:pull,push,delete`);
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const answer = await fetch(`${url}/token?${query}`, { headers: { authorization } });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return new Attacker(url, ((await answer.json()) as { token: string }).token);
  }

  /** Opens an upload; where it lies. */
  async open(repository: string): Promise<string> {
    const { headers } = await this.#send('POST', `/v2/${repository}/blobs/uploads/`);
    return headers.get('location') ?? '';
  }

  /** Sends bytes in chunks that every host takes; where the upload lies then. */
  async chunks(location: string, bytes: Uint8Array): Promise<string> {
    let at = location;
    for (let start = 0; start < bytes.length; start += INLINE_BYTES) {
      const answer = await this.patch(at, bytes.subarray(start, start + INLINE_BYTES));
      if (answer.status !== 202) throw new Error(`PATCH ${answer.status} ${Buffer.from(answer.bytes)}`);
      at = answer.headers.get('location') ?? at;
    }
    return at;
  }

  patch(location: string, body: Uint8Array | Slowly): Promise<Answer> {
    return this.#send('PATCH', location, body);
  }

  /** Closes an upload; the status. */
  async close(location: string, digest: Digest, body?: Uint8Array | Slowly): Promise<number> {
    const separator = location.includes('?') ? '&' : '?';
    return (await this.#send('PUT', `${location}${separator}digest=${digest}`, body)).status;
  }

  async cancel(location: string): Promise<number> {
    return (await this.#send('DELETE', location)).status;
  }

  /** What a reader gets of the blob; `undefined` where there is none. */
  async read(repository: string, digest: Digest): Promise<Uint8Array | undefined> {
    const { status, bytes } = await this.#send('GET', `/v2/${repository}/blobs/${digest}`);
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`GET ${status} ${Buffer.from(bytes)}`);
    return bytes;
  }

  /** Fails where any reader gets other bytes than the digest says, or a push of the right ones does not bring them. */
  async expectRight(repository: string, others: string, contents: readonly Uint8Array[]): Promise<void> {
    for (const bytes of contents) {
      const digest = digestOf('sha256', bytes);
      const found = await this.read(repository, digest);
      if (found && digestOf('sha256', found) !== digest)
        throw new Error(`${found.length} other bytes under the digest of ${bytes.length}`);
      const location = await this.chunks(await this.open(others), bytes);
      const status = await this.close(location, digest);
      if (status !== 201) throw new Error(`a push of the right bytes is answered ${status}`);
      const pushed = await this.read(others, digest);
      if (!pushed || digestOf('sha256', pushed) !== digest)
        throw new Error(`a push of the right ${bytes.length} bytes brought others`);
    }
  }

  async #send(method: string, path: string, body?: Uint8Array | Slowly): Promise<Answer> {
    const isSlow = body !== undefined && !(body instanceof Uint8Array);
    const stream = isSlow ? ReadableStream.from(body) : body;
    const answer = await fetch(new URL(path, this.#url), {
      method,
      headers: this.#headers,
      ...(stream !== undefined && { body: stream, duplex: 'half' }),
    } as RequestInit);
    // Read whole, so that its connection is free.
    return { status: answer.status, headers: answer.headers, bytes: await answer.bytes() };
  }
}

export const bytesOf = (length: number): Uint8Array => randomBytes(length);
