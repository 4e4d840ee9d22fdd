import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Accounts } from '../accounts.ts';
import { inheritedEnvironment, run } from '../command.ts';
import { whyAbsent } from '../go-tools.ts';
import { MEDIA_TYPES, TAG } from '../layout.ts';
import { NAME } from '../named-registry.ts';
import { expectEqual, type Registry, unexpected } from '../registry.ts';
import type { Errand, ErrandOptions } from './errand.ts';

/** More than one token can carry the scopes of. */
const REPOSITORIES = 300;

/** How many repositories are filled, or looked at, at a time. */
const AT_ONCE = 8;

/** It asks for its tokens by GET. */
const TOO_LONG = 'API Gateway takes no request line with so many scopes';

/** regsync keeps one token for a registry, and asks for all scopes that it has needed so far, the newest last. In parallel it looks
 *  at all repositories first, and comes back to them with a token that has room for the newest only. */
export const regsync: Errand = { name: 'regsync', run: mirror };

async function mirror(options: ErrandOptions): Promise<void> {
  const { report, path, tools, isRequired, named } = options;
  if (named.target.harness !== undefined) return report.skip('regsync', 'everything', TOO_LONG);
  const absent = await whyAbsent(['regsync'], path, tools);
  if (absent !== undefined && isRequired('regsync')) return report.fail('regsync', 'is required', absent);
  if (absent !== undefined) return report.skip('regsync', 'everything', absent);
  const names = Array.from({ length: REPOSITORIES }, (_, at) => `${at}`.padStart(3, '0'));
  const filled = await report.check('regsync', `is given ${REPOSITORIES} repositories`, () =>
    eachOf(names, (name) => pushTiny(named.registry, `bulk/${name}`)).then(() => true),
  );
  if (!filled) return;
  await report.check('regsync', 'mirrors them all with one login', async () => {
    await runRegsync(options, names);
    await eachOf(names, async (name) => {
      const { digest } = await named.registry.verify(`mirror/${name}`, TAG);
      expectEqual(`digest of mirror/${name}`, digest, tinyManifest().digest);
    });
  });
}

async function runRegsync(
  { named, directory, path }: ErrandOptions,
  names: readonly string[],
): Promise<void> {
  const grants = ['bulk/*', 'mirror/*'].map((pattern) => ({ pattern, actions: ['push'] }));
  const robot = await new Accounts(named.registry).createRobot('regsync', grants);
  const sync = names.map((name) => ({
    source: `${NAME}/bulk/${name}`,
    target: `${NAME}/mirror/${name}`,
    type: 'repository',
  }));
  const creds = [{ registry: NAME, user: robot.username, pass: robot.password }];
  const config = { version: 1, creds, defaults: { parallel: 4 }, sync };
  await mkdir(directory);
  const file = join(directory, 'regsync.yml');
  await writeFile(file, JSON.stringify(config)); // which is YAML, too
  const env = { ...inheritedEnvironment(), ...named.trust, PATH: path, HOME: directory };
  const command = named.within('regsync', ['once', '--config', file]);
  await run(command.program, command.args, { env });
}

/** The same image of a few bytes for all. */
function tinyManifest() {
  const config = blobOf('{}');
  const layer = blobOf('a layer that all share');
  const { empty, manifest } = MEDIA_TYPES;
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifest,
    artifactType: 'application/vnd.example.tiny',
    config: { mediaType: empty, digest: config.digest, size: config.bytes.length },
    layers: [{ mediaType: 'text/plain', digest: layer.digest, size: layer.bytes.length }],
  });
  return { ...blobOf(text), blobs: [config, layer] };
}

async function pushTiny(registry: Registry, repository: string): Promise<void> {
  const { bytes, blobs } = tinyManifest();
  const token = await registry.token(`repository:${repository}:pull,push`);
  const send = async (method: string, path: string, type: string, body: Uint8Array<ArrayBuffer>) => {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': type };
    const response = await fetch(`${registry.url}/v2/${repository}/${path}`, { method, headers, body });
    if (response.status !== 201) throw await unexpected(`${method} ${repository}/${path}`, response);
    await response.arrayBuffer();
  };
  for (const blob of blobs) {
    await send('POST', `blobs/uploads/?digest=${blob.digest}`, 'application/octet-stream', blob.bytes);
  }
  await send('PUT', `manifests/${TAG}`, MEDIA_TYPES.manifest, bytes);
}

function blobOf(text: string) {
  const bytes = new TextEncoder().encode(text);
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

/** Does it for each, a few at a time; the first failure ends it. */
async function eachOf(names: readonly string[], work: (name: string) => Promise<unknown>): Promise<void> {
  const left = names.values();
  const worker = async () => {
    for (const name of left) await work(name);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
