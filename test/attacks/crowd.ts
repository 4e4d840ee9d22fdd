import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const OCTETS = 'application/octet-stream';

interface CrowdOptions {
  /** An open registry's. */
  readonly url: string;
  /** How many do something at any moment. */
  readonly clients: number;
}

/** What became of one kind of request. */
export interface Tally {
  readonly title: string;
  /** By status, how many. */
  readonly statuses: Record<string, number>;
  readonly milliseconds: number[];
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly type?: string;
  readonly body?: Uint8Array;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

type Act = () => Promise<number>;

/** Many clients who do nothing wrong, at once, in one repository or with one blob. Each phase answers what became of it. */
export class Crowd {
  readonly #options: CrowdOptions;
  readonly #agent: Agent;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.clients });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** `count` of each kind of change to one repository, one phase after the other. */
  async changeOneRepository(repository: string, count: number): Promise<Tally[]> {
    const config = Buffer.from('{"one":"config"}');
    await this.#upload(repository, config);
    const push = (manifest: Buffer, reference: string) => () =>
      this.#send({
        method: 'PUT',
        path: `/v2/${repository}/manifests/${reference}`,
        type: MANIFEST,
        body: manifest,
      }).then(({ status }) => status);
    const remove = (reference: string) => () => this.#delete(repository, `manifests/${reference}`);
    const old = manifestsOf(config, 'old', count);
    const recent = manifestsOf(config, 'recent', count);
    return [
      ...(await this.#phase({ 'push of a new manifest and tag': old.map((each, n) => push(each, `v${n}`)) })),
      ...(await this.#phase({ 'push that moves the one tag': old.map((each) => push(each, 'latest')) })),
      ...(await this.#phase({
        'push beside deletes': recent.map((each, n) => push(each, `w${n}`)),
        'delete of a manifest beside pushes': old.map((each) => remove(digestOf('sha256', each))),
      })),
      ...(await this.#phase({ 'delete of a tag': recent.map((_, n) => remove(`w${n}`)) })),
    ];
  }

  /** One blob, uploaded into `count` repositories, mounted into as many others, and deleted from each. */
  async shareOneBlob(prefix: string, count: number): Promise<Tally[]> {
    const bytes = Buffer.from(`a blob that all of ${prefix} have`);
    const digest = digestOf('sha256', bytes);
    const named = (kind: string) => Array.from({ length: count }, (_, n) => `${prefix}/${kind}${n}`);
    const [first, second] = [named('a'), named('b')];
    const [gone, kept] = [first.slice(0, count / 2), first.slice(count / 2)];
    const remove = (repository: string) => () => this.#delete(repository, `blobs/${digest}`);
    return [
      ...(await this.#phase({
        'upload of the shared blob': first.map((repository) => () => this.#upload(repository, bytes)),
      })),
      ...(await this.#phase({
        'mount beside deletes': second.map(
          (repository, n) => () => this.#mount(repository, digest, kept[n % kept.length] ?? ''),
        ),
        'delete of the shared blob beside mounts': gone.map(remove),
      })),
      ...(await this.#phase({
        'delete of the shared blob': [...kept, ...second].map(remove),
      })),
    ];
  }

  /** Each client takes what is next of its kind; where there are several kinds, clients are divided among them. */
  async #phase(kinds: Readonly<Record<string, readonly Act[]>>): Promise<Tally[]> {
    const all = Object.entries(kinds);
    const share = Math.max(1, Math.floor(this.#options.clients / all.length));
    return Promise.all(
      all.map(async ([title, acts]) => {
        const tally: Tally = { title, statuses: {}, milliseconds: [] };
        const waiting = acts.values();
        await Promise.all(Array.from({ length: share }, () => work(waiting, tally)));
        return tally;
      }),
    );
  }

  async #upload(repository: string, bytes: Uint8Array): Promise<number> {
    const opened = await this.#send({ method: 'POST', path: `/v2/${repository}/blobs/uploads/` });
    if (opened.status !== 202) return opened.status;
    const { pathname, searchParams } = new URL(opened.headers.location ?? '', this.#options.url);
    searchParams.set('digest', digestOf('sha256', bytes));
    const path = `${pathname}?${searchParams}`;
    return (await this.#send({ method: 'PUT', path, type: OCTETS, body: bytes })).status;
  }

  async #mount(repository: string, digest: Digest, from: string): Promise<number> {
    const path = `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${from}`;
    return (await this.#send({ method: 'POST', path })).status;
  }

  async #delete(repository: string, what: string): Promise<number> {
    return (await this.#send({ method: 'DELETE', path: `/v2/${repository}/${what}` })).status;
  }

  #send({ method, path, type, body }: Call): Promise<Answer> {
    const headers = {
      ...(type !== undefined && { 'content-type': type }),
      'content-length': `${body?.length ?? 0}`,
    };
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, this.#options.url), { method, headers, agent: this.#agent });
      sent.on('response', (answer) => {
        const { statusCode: status = 0, headers: told } = answer;
        buffer(answer).then(() => resolve({ status, headers: told }), reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

async function work(waiting: Iterator<Act>, { statuses, milliseconds }: Tally): Promise<void> {
  for (let next = waiting.next(); !next.done; next = waiting.next()) {
    const start = performance.now();
    const status = await next.value();
    milliseconds.push(performance.now() - start);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
}

function manifestsOf(config: Buffer, kind: string, count: number): Buffer[] {
  const mediaType = 'application/vnd.oci.image.config.v1+json';
  const descriptor = { mediaType, digest: digestOf('sha256', config), size: config.length };
  return Array.from({ length: count }, (_, n) =>
    Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType: MANIFEST, config: descriptor, layers: [] },
        annotations: { [kind]: `${n}` },
      }),
    ),
  );
}
