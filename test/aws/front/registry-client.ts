import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { AwsPath } from '../aws-path.ts';
import { type Answer, send } from './fixture.ts';

export const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

interface Given {
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array | string;
}

/** Somebody who talks to a registry through its front door, as clients do, but says exactly what is sent. */
export class RegistryClient {
  readonly #url: string;
  readonly #token: string;

  private constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** As the first admin, with an access token for one repository. */
  static async logIn({ url, admin }: AwsPath, repository: string): Promise<RegistryClient> {
    const basic = Buffer.from(`${admin.username}:${admin.password}`).toString('base64');
    const scope = `repository:${repository}:pull,push,delete`;
    const headers = { authorization: `Basic ${basic}` };
    const { body } = await send(url, `GET /token?service=stowage&scope=${scope}`, { headers });
    const { token } = JSON.parse(body.toString()) as { token: string };
    return new RegistryClient(url, token);
  }

  send(call: string, { headers, body }: Given = {}): Promise<Answer> {
    const authorization = { authorization: `Bearer ${this.#token}` };
    const given = body === undefined ? {} : { body };
    return send(this.#url, call, { headers: { ...authorization, ...headers }, ...given });
  }

  /** Sends a body that is made while it is sent; answers the status. */
  async stream(call: string, length: number, body: Readable): Promise<{ readonly status: number }> {
    const [method = '', path = ''] = call.split(' ');
    const { hostname, port } = new URL(this.#url);
    const headers = { authorization: `Bearer ${this.#token}`, 'content-length': `${length}` };
    const sent = request({ hostname, port, path, method, headers });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    await pipeline(body, sent);
    const [answer] = await answered;
    answer.resume();
    return { status: answer.statusCode ?? 0 };
  }

  /** The Location of a new upload. */
  async open(repository: string): Promise<string> {
    const { status, headers } = await this.send(`POST /v2/${repository}/blobs/uploads/`);
    if (status !== 202) throw new Error(`no upload, but ${status}`);
    return headers.location ?? '';
  }
}

/** The one error of an answer in the form of the specification. */
export function errorOf({ body }: Answer): { readonly code: string; readonly message: string } {
  const { errors } = JSON.parse(body.toString()) as { errors: [{ code: string; message: string }] };
  return errors[0];
}
