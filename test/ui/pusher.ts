import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

interface Login {
  readonly username: string;
  readonly password: string;
}

/** What an image is made of: the lines of a Dockerfile, each with what its layer holds, if it makes one. */
export interface Recipe {
  readonly lines: readonly (readonly [line: string, content?: string])[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly platform?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Pushes images over HTTP, as clients do, into one repository. */
export class Pusher {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  private constructor(url: string, headers: Readonly<Record<string, string>>) {
    this.#url = url;
    this.#headers = headers;
  }

  /** Without a login into a registry without users. */
  static async to(registry: string, repository: string, login?: Login): Promise<Pusher> {
    const url = `${registry}/v2/${repository}`;
    if (!login) return new Pusher(url, {});
    const basic = Buffer.from(`${login.username}:${login.password}`).toString('base64');
    const scope = `repository:${repository}:pull,push,delete`;
    const response = await fetch(`${registry}/token?scope=${scope}`, {
      headers: { authorization: `Basic ${basic}` },
    });
    const { token } = (await response.json()) as { token: string };
    return new Pusher(url, { authorization: `Bearer ${token}` });
  }

  /** Answers the digest. */
  async push(tag: string, recipe: Recipe): Promise<string> {
    return this.#put(tag, MANIFEST, await this.#manifestOf(recipe));
  }

  async pushIndex(tag: string, recipes: readonly Recipe[]): Promise<string> {
    const manifests: unknown[] = [];
    for (const recipe of recipes) {
      const manifest = await this.#manifestOf(recipe);
      const digest = await this.#put(digestOf(manifest), MANIFEST, manifest);
      const [os, architecture] = (recipe.platform ?? 'linux/amd64').split('/');
      manifests.push({ mediaType: MANIFEST, digest, size: manifest.length, platform: { os, architecture } });
    }
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
    return this.#put(tag, INDEX, index);
  }

  /** Puts one image under many names. */
  async tagAll(digest: string, tags: readonly string[]): Promise<void> {
    const manifest = Buffer.from(await (await this.#send(`/manifests/${digest}`, {})).arrayBuffer());
    const left = [...tags];
    const work = async () => {
      for (let tag = left.pop(); tag !== undefined; tag = left.pop())
        await this.#put(tag, MANIFEST, manifest);
    };
    await Promise.all(Array.from({ length: 16 }, work));
  }

  async #manifestOf({ lines, config = {}, platform = 'linux/amd64', annotations }: Recipe): Promise<Buffer> {
    const [os, architecture] = platform.split('/');
    const layers = lines.flatMap(([, content]) =>
      content === undefined ? [] : [gzipSync(Buffer.from(content, 'latin1'))],
    );
    const history = lines.map(([created_by, content]) => ({
      created_by,
      ...(content === undefined && { empty_layer: true }),
    }));
    const rootfs = { type: 'layers', diff_ids: layers.map(digestOf) };
    const created = '2026-11-29T12:00:00Z';
    const bytes = Buffer.from(JSON.stringify({ os, architecture, created, config, rootfs, history }));
    const described: unknown[] = [];
    for (const layer of layers) described.push(await this.#blob(layer, LAYER));
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: await this.#blob(bytes, CONFIG),
      layers: described,
      ...(annotations && { annotations }),
    };
    return Buffer.from(JSON.stringify(manifest));
  }

  async #blob(bytes: Buffer, mediaType: string) {
    const digest = digestOf(bytes);
    await this.#send(`/blobs/uploads/?digest=${digest}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: new Uint8Array(bytes),
    });
    return { mediaType, digest, size: bytes.length };
  }

  async #put(reference: string, type: string, manifest: Buffer): Promise<string> {
    const headers = { 'content-type': type };
    await this.#send(`/manifests/${reference}`, { method: 'PUT', headers, body: new Uint8Array(manifest) });
    return digestOf(manifest);
  }

  async #send(path: string, { headers, ...rest }: RequestInit): Promise<Response> {
    const response = await fetch(`${this.#url}${path}`, {
      ...rest,
      headers: { ...this.#headers, ...headers },
    });
    if (!response.ok)
      throw new Error(`${rest.method ?? 'GET'} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
}

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
