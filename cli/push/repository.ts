import { algorithmOf, CANONICAL, type Digest } from '../../functions/oci/digest.ts';
import { type Answer, exchange, refusalOf } from '../exchange.ts';
import { Failure, PassingFailure } from '../failure.ts';
import { sizeText } from '../text.ts';
import { isLoopback } from '../values.ts';
import type { Authorization } from './authorization.ts';
import { type Direct, directIn, type SignedRequest, signedIn } from './direct.ts';
import type { Blob, ManifestFile } from './image.ts';
import { sendBlob } from './send-blob.ts';

/** S3's: the largest object that one PUT makes. */
const MAX_DIRECT_BYTES = 5 * 1024 ** 3;

interface Target {
  readonly url: string;
  readonly name: string;
  readonly authorization: Authorization;
  readonly signal: AbortSignal;
}

/** Where an upload goes; nowhere if the registry had the blob in another repository. `direct`: how the store of the registry takes
 *  it from us, where it does. */
type Upload =
  | { readonly is: 'mounted' }
  | { readonly is: 'open'; readonly location: string; readonly direct: Direct | undefined };

/** A repository of any registry of the specification, as somebody who pushes sees it. */
export class Repository {
  readonly #target: Target;
  #avoidsDirect = false;
  /** Whether the store has ever taken a byte from us. */
  #knowsStore = false;

  constructor(target: Target) {
    this.#target = target;
  }

  /** Rejects where there is no registry, or none that lets the caller in. */
  async enter(): Promise<void> {
    const { url } = this.#target;
    const answer = await this.#send(`${url}/v2/`, { method: 'GET' });
    if (answer.status === 404) throw new Failure(`${url} is no registry`);
    if (answer.status >= 300) throw this.#refusal(answer);
  }

  async has(digest: Digest): Promise<boolean> {
    const answer = await this.#send(this.#url(`blobs/${digest}`), { method: 'HEAD' });
    // A refusal to HEAD has no words; the upload's has.
    if ([401, 403, 404].includes(answer.status)) return false;
    // A redirect leads to where it is.
    if (answer.status < 400) return true;
    throw this.#refusal(answer);
  }

  /** Opens an upload, unless the registry can take the blob from another repository of it. `inParts`: in parts, where the store of
   *  the registry takes it from us, also if it could be taken whole; one that was begun before goes on. */
  async startUpload({ digest, content: { size } }: Blob, inParts = false): Promise<Upload> {
    const algorithm = algorithmOf(digest);
    const query = algorithm === CANONICAL ? {} : { 'digest-algorithm': algorithm };
    const open = (parameters: Record<string, string>) =>
      this.#send(this.#url(`blobs/uploads/?${new URLSearchParams(parameters)}`), { method: 'POST' });
    const announced = {
      ...(!(this.#avoidsDirect && size <= MAX_DIRECT_BYTES) && { size: `${size}` }),
      ...(inParts && { parts: 'true' }),
    };
    const mount = await open({ mount: digest, ...announced, ...query });
    // Registries that mount only from a repository that is named may say so in any way.
    const answer = [400, 404, 405].includes(mount.status) ? await open(query) : mount;
    if (answer.status === 201) return { is: 'mounted' };
    const location = answer.headers.get('location');
    if (answer.status === 202 && location)
      return { is: 'open', location: this.#locate(location), direct: directIn(answer.body) };
    throw this.#refusal(answer);
  }

  async sendBlob(location: string, blob: Blob, onBytes: (count: number) => void): Promise<void> {
    const { authorization, signal, url } = this.#target;
    // What proves who pushes is nothing to another host that an upload may be sent to.
    const isOurs = new URL(location).origin === new URL(url).origin;
    const header = isOurs ? await authorization.header() : undefined;
    const headers = header === undefined ? {} : { Authorization: header };
    const answer = await sendBlob(withDigest(location, blob.digest), {
      blob,
      headers,
      signal,
      onBytes,
    }).catch((error) => {
      throw this.#tooLarge(blob, error);
    });
    // The next attempt begins with a token that is good again.
    if (answer.status === 401) throw new PassingFailure(refusalOf(answer).message);
    if (answer.status !== 201) throw this.#tooLarge(blob, this.#refusal(answer));
    expectDigest(answer, blob.digest);
  }

  /** Sends a blob, or a part of one, to the store of the registry itself. Where the store does not take it, the registry is asked for
   *  another way from then on. */
  async sendDirect(
    { url, headers }: SignedRequest,
    blob: Blob,
    onBytes: (count: number) => void,
  ): Promise<void> {
    this.#expectSafe(url);
    const count = (bytes: number) => {
      this.#knowsStore = true;
      onBytes(bytes);
    };
    const { signal } = this.#target;
    try {
      const answer = await sendBlob(url, { blob, headers, signal, onBytes: count });
      if (answer.status === 200) return;
      const { message } = refusalOf(answer);
      // By an earlier attempt of ours whose answer was lost, most likely: the next look tells.
      if (answer.status < 500 && answer.status !== 412) this.#avoidsDirect = true;
      throw new PassingFailure(message);
    } catch (error) {
      if (!this.#knowsStore) this.#avoidsDirect = true; // a firewall lets us to the registry, and not to its store
      throw error;
    }
  }

  /** How the store takes a part of an upload. */
  async signPart(location: string, number: number, digest: Digest): Promise<SignedRequest> {
    const sha256 = digest.slice(digest.indexOf(':') + 1);
    const answer = await this.#send(withQuery(location, `part=${number}&sha256=${sha256}`), {
      method: 'POST',
    });
    const signed = answer.status === 200 ? signedIn(answer.body) : undefined;
    if (!signed) throw this.#refusal(answer);
    return signed;
  }

  /** Has the registry put an upload together; answers whether it is done, or asks to be asked again. */
  async closeParts(location: string, digest: Digest): Promise<boolean> {
    const answer = await this.#send(withDigest(location, digest), { method: 'PUT' });
    if (answer.status === 202) return false;
    if (answer.status !== 201) throw this.#refusal(answer);
    expectDigest(answer, digest);
    return true;
  }

  /** Stores a manifest under a tag or its digest. */
  async putManifest(reference: string, { bytes, mediaType, digest }: ManifestFile): Promise<void> {
    const headers = { 'Content-Type': mediaType };
    const answer = await this.#send(this.#url(`manifests/${reference}`), {
      method: 'PUT',
      headers,
      body: bytes,
    });
    if (answer.status !== 201) throw this.#refusal(answer);
    expectDigest(answer, digest);
  }

  async #send(url: string, init: RequestInit): Promise<Answer> {
    const { authorization, signal } = this.#target;
    return authorization.send((header) => {
      const headers = { ...init.headers, ...(header !== undefined && { Authorization: header }) };
      return exchange(url, { ...init, headers, signal });
    });
  }

  #url(path: string): string {
    return `${this.#target.url}/v2/${this.#target.name}/${path}`;
  }

  #locate(location: string): string {
    const target = new URL(location, this.#url('blobs/uploads/'));
    if (target.origin !== new URL(this.#target.url).origin) this.#expectSafe(target.href);
    return target.href;
  }

  #expectSafe(target: string): void {
    const { url } = this.#target;
    const { protocol, hostname, origin } = new URL(target);
    // Whoever speaks to this machine in the clear lets nobody listen.
    const isNear = protocol === 'http:' && isLoopback(hostname) && isLoopback(new URL(url).hostname);
    if (protocol === 'https:' || isNear) return;
    throw new Failure(`${url} sends uploads to ${origin}, where they would cross a network in the clear`);
  }

  #refusal(answer: Answer): Failure {
    const refusal = refusalOf(answer);
    if (answer.status !== 401) return refusal;
    return new Failure(`${refusal.message}; log in: stowage login ${this.#target.url}`);
  }

  #tooLarge({ digest, content }: Blob, error: unknown): unknown {
    if (!(error instanceof Failure) || content.size <= MAX_DIRECT_BYTES) return error;
    const remark = `${digest} has ${sizeText(content.size)}, and a registry without a stream host takes 5 GiB at most`;
    return error instanceof PassingFailure
      ? new PassingFailure(`${error.message} (${remark})`, error.retryAfterSeconds)
      : new Failure(`${error.message} (${remark})`);
  }
}

const withQuery = (location: string, query: string) =>
  `${location}${location.includes('?') ? '&' : '?'}${query}`;

const withDigest = (location: string, digest: Digest) =>
  withQuery(location, `digest=${encodeURIComponent(digest)}`);

function expectDigest({ headers }: Answer, digest: Digest): void {
  const stored = headers.get('docker-content-digest');
  if (stored !== null && stored !== digest) {
    throw new Failure(`the registry stored ${stored}, where ${digest} was sent`);
  }
}
