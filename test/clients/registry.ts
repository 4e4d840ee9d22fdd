import { Readable } from 'node:stream';
import { type Descriptor, MEDIA_TYPES, sha256 } from './layout.ts';

const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const ACCEPT = [MEDIA_TYPES.manifest, MEDIA_TYPES.index, DOCKER_MANIFEST, DOCKER_LIST].join(', ');

/** For one request, a 200 MB blob included. */
const REQUEST_TIMEOUT_SECONDS = 120;

/** A user by password or token, or a robot by secret. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** What a registry holds under one reference. */
export interface Stored {
  /** The digest of the manifest or index. */
  readonly digest: string;
  readonly blobs: number;
  readonly bytes: number;
  /** Of these, in blobs that Lambda does not take. */
  readonly largeBytes: number;
}

/** What one request carries through Lambda. */
const MAX_INLINE_BYTES = 4 * 1024 * 1024;

interface Manifest {
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
}

/** The registry under test, asked by plain HTTP, as its admin, and by nothing a client brings along. */
export class Registry {
  readonly url: string;
  /** As it is written in a reference. */
  readonly host: string;
  readonly #admin: Credentials;

  constructor(url: string, admin: Credentials) {
    const { protocol, host, origin } = new URL(url);
    if (protocol !== 'http:') throw new Error(`STOWAGE_URL has to be plain http, not ${url}`);
    this.url = origin;
    this.host = host;
    this.#admin = admin;
  }

  /** An access token of the admin's, for one scope. */
  async token(scope: string): Promise<string> {
    const { username, password } = this.#admin;
    const form = { grant_type: 'password', service: 'stowage', client_id: 'test', scope, username, password };
    const response = await fetch(`${this.url}/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_SECONDS * 1000),
    });
    if (response.status !== 200) throw await unexpected('POST /token', response);
    return ((await response.json()) as { access_token: string }).access_token;
  }

  /** Fetches all that `reference` leads to, and throws unless every byte hashes to its digest. */
  async verify(repository: string, reference: string): Promise<Stored> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const head = await this.#request(path, 'HEAD');
    const body = Buffer.from(await (await this.#request(path)).arrayBuffer());
    const digest = await sha256(Readable.from([body]));
    expectEqual(`digest of ${path}`, head.headers.get('docker-content-digest'), digest);
    expectEqual(`length of ${path}`, head.headers.get('content-length'), String(body.length));
    if (reference.startsWith('sha256:')) expectEqual(`digest of ${path}`, digest, reference);

    const manifest = JSON.parse(body.toString('utf8')) as Manifest;
    let [blobs, bytes, largeBytes] = [0, 0, 0];
    for (const child of manifest.manifests ?? []) {
      const stored = await this.verify(repository, child.digest);
      blobs += stored.blobs;
      bytes += stored.bytes;
      largeBytes += stored.largeBytes;
    }
    for (const blob of [...(manifest.config ? [manifest.config] : []), ...(manifest.layers ?? [])]) {
      await this.#verifyBlob(repository, blob);
      blobs += 1;
      bytes += blob.size;
      if (blob.size > MAX_INLINE_BYTES) largeBytes += blob.size;
    }
    return { digest, blobs, bytes, largeBytes };
  }

  /** Has the tag not be there, whether it was or not. */
  async removeTag(repository: string, tag: string): Promise<void> {
    const response = await fetch(`${this.url}/v2/${repository}/manifests/${tag}`, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${await this.token(`repository:${repository}:delete`)}` },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_SECONDS * 1000),
    });
    if (![202, 404].includes(response.status))
      throw await unexpected(`DELETE ${repository}:${tag}`, response);
  }

  /** The referrers of `digest`: by the API, else by the tag that stands in for it where there is no API. */
  async referrers(repository: string, digest: string): Promise<readonly string[]> {
    const fallback = `/v2/${repository}/manifests/${digest.replace(':', '-')}`;
    const response = await this.#request(`/v2/${repository}/referrers/${digest}`).catch(() =>
      this.#request(fallback),
    );
    const index = (await response.json()) as Manifest;
    return (index.manifests ?? []).map((referrer) => referrer.digest);
  }

  async #verifyBlob(repository: string, blob: Descriptor): Promise<void> {
    const path = `/v2/${repository}/blobs/${blob.digest}`;
    const head = await this.#request(path, 'HEAD');
    expectEqual(`length of ${path}`, head.headers.get('content-length'), String(blob.size));
    const response = await this.#request(path);
    if (response.body === null) throw new Error(`${path} has no body`);
    expectEqual(`digest of ${path}`, await sha256(response.body), blob.digest);
  }

  async #request(path: string, method = 'GET'): Promise<Response> {
    const [, repository] = /^\/v2\/(.+)\/(?:manifests|blobs|referrers)\//.exec(path) ?? [];
    const headers = {
      Accept: ACCEPT,
      Authorization: `Bearer ${await this.token(`repository:${repository}:pull`)}`,
    };
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_SECONDS * 1000);
    const response = await fetch(this.url + path, { method, headers, signal });
    if (response.status === 200) return response;
    throw await unexpected(`${method} ${path}`, response);
  }
}

/** An error that shows an answer which was not hoped for. */
export async function unexpected(call: string, response: Response): Promise<Error> {
  return new Error(`${call} is answered ${response.status} ${await response.text()}`);
}

/** Throws an error that shows both, if they differ. */
export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (left !== right) throw new Error(`${what}\nis         ${left}\nand not    ${right}`);
}
