import { type Registry, unexpected } from '../clients/registry.ts';

interface Manifest {
  readonly mediaType: string;
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

/** What is done to two repositories of a registry by plain HTTP, as an admin. */
export class Hands {
  readonly #registry: Registry;
  readonly #from: string;
  readonly #to: string;

  constructor(registry: Registry, [from = '', to = '']: readonly string[]) {
    this.#registry = registry;
    this.#from = from;
    this.#to = to;
  }

  /** Puts `to` on what `from` is on. */
  async retag(from: string, to: string): Promise<void> {
    await this.#putManifest(this.#from, to, await this.#manifest(from));
  }

  /** Mounts the blobs of an image into the other repository, as clients do, and pushes its manifest there. */
  async copy(digest: string, tag: string): Promise<void> {
    const bytes = await this.#manifest(digest);
    const { config, layers } = JSON.parse(bytes) as Manifest;
    for (const blob of new Set([config, ...layers].map((descriptor) => descriptor.digest))) {
      const query = new URLSearchParams({ mount: blob, from: this.#from });
      const mounted = await this.#ask(this.#to, 'POST', `blobs/uploads/?${query}`);
      if (mounted.status !== 201) throw await unexpected(`mount of ${blob}`, mounted);
    }
    await this.#putManifest(this.#to, tag, bytes);
  }

  async delete(repository: string, digest: string): Promise<void> {
    const deleted = await this.#ask(repository, 'DELETE', `manifests/${digest}`);
    if (deleted.status !== 202) throw await unexpected(`delete of ${digest}`, deleted);
  }

  async #manifest(reference: string): Promise<string> {
    const response = await this.#ask(this.#from, 'GET', `manifests/${reference}`);
    if (response.status !== 200) throw await unexpected(`GET of ${reference}`, response);
    return response.text();
  }

  async #putManifest(repository: string, tag: string, bytes: string): Promise<void> {
    const { mediaType } = JSON.parse(bytes) as Manifest;
    const put = await this.#ask(repository, 'PUT', `manifests/${tag}`, { mediaType, bytes });
    if (put.status !== 201) throw await unexpected(`PUT of ${repository}:${tag}`, put);
  }

  async #ask(
    repository: string,
    method: string,
    path: string,
    body?: { readonly mediaType: string; readonly bytes: string },
  ): Promise<Response> {
    const scopes = [`repository:${this.#from}:pull,push,delete`, `repository:${this.#to}:pull,push,delete`];
    const token = await this.#registry.token(scopes.join(' '));
    return fetch(`${this.#registry.url}/v2/${repository}/${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        Accept:
          'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json',
        ...(body && { 'Content-Type': body.mediaType }),
      },
      ...(body && { body: body.bytes }),
    });
  }
}
