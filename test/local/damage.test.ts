import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { appendFile, mkdtemp, rm, truncate } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectFiles } from '../object-files.ts';
import { RegistryProcess } from '../registry-process.ts';

// What clients of a registry on one machine see when a file of it is lost or damaged, and how they heal it.

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

class Registry {
  readonly process: RegistryProcess;
  readonly #data: string;

  private constructor(data: string, process: RegistryProcess) {
    [this.#data, this.process] = [data, process];
  }

  static async start(): Promise<Registry> {
    const data = await mkdtemp(join(tmpdir(), 'stowage-'));
    return new Registry(data, await RegistryProcess.start(data));
  }

  async stop(): Promise<void> {
    await this.process.stop('SIGKILL');
    await rm(this.#data, { recursive: true });
  }

  url(repository: string, bytes: Uint8Array): string {
    return `${this.process.url}/v2/${repository}/blobs/${sha256(bytes)}`;
  }

  /** As clients do: bytes that the registry says it has are not sent. Answers whether they were. */
  async pushIfMissing(repository: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const head = await fetch(this.url(repository, bytes), { method: 'HEAD' });
    if (head.status === 200) return false;
    await this.push(repository, bytes);
    return true;
  }

  async push(repository: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
    const { url } = this.process;
    const opened = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
    const location = `${url}${opened.headers.get('location')}?digest=${sha256(body)}`;
    expect((await fetch(location, { method: 'PUT', body })).status).toBe(201);
  }

  async pull(repository: string, bytes: Uint8Array): Promise<string | number> {
    const response = await fetch(this.url(repository, bytes));
    return response.status === 200 ? sha256(await response.bytes()) : response.status;
  }

  /** The files that have these bytes: of what was pushed twice, the second one waits for its end. */
  filesOf(bytes: Uint8Array): string[] {
    const files = objectFiles(this.#data).map((name) => join(this.#data, 'blobs', name));
    return files.filter((file) => Buffer.from(bytes).equals(readFileSync(file)));
  }
}

let registry: Registry;
beforeAll(async () => {
  registry = await Registry.start();
});
afterAll(() => registry.stop());

const DAMAGES = {
  'is gone': (file: string) => rm(file),
  'is shorter': (file: string) => truncate(file, 50_000),
  'is empty': (file: string) => truncate(file, 0),
  'is longer': (file: string) => appendFile(file, 'x'),
};

describe.each(Object.entries(DAMAGES))('a blob whose file %s', (_, damage) => {
  it('is an error that says what to do, and is in the log with its object and repository', async () => {
    const bytes = randomBytes(100_000) as Uint8Array<ArrayBuffer>;
    await registry.push('team/app', bytes);
    const [file = ''] = registry.filesOf(bytes);
    await damage(file);
    const response = await fetch(registry.url('team/app', bytes));
    expect(response.status).toBe(500);
    const message = expect.stringMatching(
      /^the bytes of blob sha256:\w+ of team\/app are lost or damaged .*push/,
    );
    expect(await response.json()).toEqual({
      errors: [{ code: 'UNKNOWN', message, detail: { digest: sha256(bytes) } }],
    });
    const told = () =>
      registry.process.log.find((text) => text.includes('"status":500') && text.includes(sha256(bytes)));
    await expect.poll(told).toBeDefined();
    const line = told() ?? '';
    const { error } = JSON.parse(line) as { error: string };
    for (const fact of [sha256(bytes), 'team/app', file.slice(-36)]) expect(error).toContain(fact);
  });

  it('is not there for a client that is about to push, whose push heals it in every repository', async () => {
    const bytes = randomBytes(100_000) as Uint8Array<ArrayBuffer>;
    for (const name of ['team/app', 'team/other']) await registry.push(name, bytes);
    for (const file of registry.filesOf(bytes)) await damage(file);
    expect(await registry.pushIfMissing('team/new', bytes)).toBe(true);
    for (const name of ['team/app', 'team/other', 'team/new']) {
      expect(await registry.pull(name, bytes)).toBe(sha256(bytes));
      expect(await registry.pushIfMissing(name, bytes)).toBe(false);
    }
  });

  it('cannot be mounted: its client is asked for the bytes', async () => {
    const bytes = randomBytes(100_000) as Uint8Array<ArrayBuffer>;
    await registry.push('team/app', bytes);
    for (const file of registry.filesOf(bytes)) await damage(file);
    const mount = `/v2/team/new/blobs/uploads/?mount=${sha256(bytes)}&from=team/app`;
    expect((await fetch(registry.process.url + mount, { method: 'POST' })).status).toBe(202);
    await registry.push('team/new', bytes);
    expect(await registry.pull('team/app', bytes)).toBe(sha256(bytes));
  });
});

describe.each(Object.entries(DAMAGES))('a large manifest whose file %s', (_, damage) => {
  it('is an error, not there for a client that is about to push, and healed by its push with all its tags', async () => {
    const config = randomBytes(10) as Uint8Array<ArrayBuffer>;
    await registry.push('team/app', config);
    const image = {
      ...{ schemaVersion: 2, mediaType: MANIFEST_TYPE, layers: [] },
      config: { mediaType: MANIFEST_TYPE, digest: sha256(config), size: config.length },
      annotations: { text: randomBytes(60_000).toString('base64') },
    };
    const body = Buffer.from(JSON.stringify(image));
    const urlOf = (reference: string) => `${registry.process.url}/v2/team/app/manifests/${reference}`;
    const put = (tag: string) =>
      fetch(urlOf(tag), { method: 'PUT', body, headers: { 'Content-Type': MANIFEST_TYPE } });
    for (const tag of ['v1', 'v2', 'v3']) expect((await put(tag)).status).toBe(201);
    for (const file of registry.filesOf(body)) await damage(file);
    for (const reference of ['v1', sha256(body)]) {
      expect((await fetch(urlOf(reference))).status).toBe(500);
      expect((await fetch(urlOf(reference), { method: 'HEAD' })).status).toBe(404);
    }
    expect((await put('v1')).status).toBe(201);
    for (const reference of ['v1', 'v2', 'v3', sha256(body)]) {
      const pulled = await fetch(urlOf(reference));
      expect([reference, pulled.status, sha256(await pulled.bytes())]).toEqual([
        reference,
        200,
        sha256(body),
      ]);
    }
  });
});

// Open files are read from /proc.
describe.runIf(process.platform === 'linux')('a file that gets shorter while it is sent', () => {
  it('ends the connection at once, is told, leaks nothing, and is healed by the next push', async () => {
    const bytes = randomBytes(24_000_000) as Uint8Array<ArrayBuffer>;
    await registry.push('team/app', bytes);
    const [file = ''] = registry.filesOf(bytes);
    const [response] = (await once(get(registry.url('team/app', bytes)), 'response')) as [IncomingMessage];
    await once(response, 'readable');
    await truncate(file, 1000);
    const cut = once(response, 'error').catch((error: unknown) => [error]);
    response.resume();
    expect(await cut).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
    const told = `the answer to GET /v2/team/app/blobs/${sha256(bytes)} was cut short`;
    await expect.poll(() => registry.process.errors).toContain(told);
    expect(registry.process.errors).toContain(file.slice(-36));
    await expect
      .poll(() => registry.process.openFiles.filter((open) => open.includes('/blobs/')))
      .toEqual([]);
    expect(await registry.pushIfMissing('team/app', bytes)).toBe(true);
    expect(await registry.pull('team/app', bytes)).toBe(sha256(bytes));
  });
});
