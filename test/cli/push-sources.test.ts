import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { DOCKER_MANIFEST, digestOf, OCI_INDEX, OCI_MANIFEST } from '../wire/content.ts';
import { archive, imageOf, indexOf, writeDockerSave, writeLayout } from './images.ts';
import { Stowage } from './program.ts';

let registry: RegistryProcess;
let stowage: Stowage;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-push-test-'));
  registry = await RegistryProcess.start(join(folder, 'data'));
  stowage = new Stowage(join(folder, 'home'), environment());
});
afterAll(async () => {
  await registry.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Nothing of this machine's own docker. */
function environment(extra: Readonly<Record<string, string>> = {}) {
  return { STOWAGE_REGISTRY: registry.url, DOCKER_CONFIG: join(folder, 'no-docker'), ...extra };
}

/** The bytes of a manifest as the registry has them. */
async function manifestAt(name: string): Promise<Buffer> {
  const [repository, tag] = name.split(':');
  const response = await fetch(`${registry.url}/v2/${repository}/manifests/${tag}`, {
    headers: { Accept: [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST].join(', ') },
  });
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

async function blobAt(repository: string, digest: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(`${registry.url}/v2/${repository}/blobs/${digest}`)).arrayBuffer());
}

const image = imageOf(['first layer', randomBytes(100_000)]);

describe('an image in a layout or an OCI archive', () => {
  it.each([
    ['a folder', async (layout: string) => layout],
    ['a tar archive', (layout: string) => archive(layout)],
    ['a tar archive with gzip', (layout: string) => packed(layout, gzipSync)],
    ['a tar archive with zstd', (layout: string) => packed(layout, zstdCompressSync)],
  ])('arrives byte for byte from %s', async (_, make) => {
    const source = await make(await writeLayout({ made: image }));
    const pushed = await stowage.run(['push', source, 'a/app:1']);
    expect(pushed).toMatchObject({
      code: 0,
      stdout: `${new URL(registry.url).host}/a/app@${image.manifest.digest}\n`,
    });
    expect(await manifestAt('a/app:1')).toEqual(Buffer.from(image.manifest.bytes));
    for (const { digest, bytes } of image.blobs)
      expect(await blobAt('a/app', digest)).toEqual(Buffer.from(bytes));
  });

  async function packed(layout: string, pack: (bytes: Uint8Array) => Uint8Array): Promise<string> {
    const path = await archive(layout);
    await writeFile(path, pack(await readFile(path)));
    return path;
  }

  it('arrives from standard input, and leaves no temporary files', async () => {
    const tmp = await scratch();
    const other = new Stowage(folder, environment({ TMPDIR: tmp }));
    const input = gzipSync(await readFile(await archive(await writeLayout({ made: image }))));
    expect((await other.run('push - a/stdin:1', input)).code).toBe(0);
    expect(await manifestAt('a/stdin:1')).toEqual(Buffer.from(image.manifest.bytes));
    expect(await readdir(tmp)).toEqual([]);
  });

  it('arrives with all its platforms, or with the one that is asked for', async () => {
    const made = indexOf({ 'linux/amd64': imageOf(['amd']), 'linux/arm64': imageOf(['arm'], 'linux/arm64') });
    const layout = await writeLayout({ made });
    await stowage.print(['push', layout, 'a/index:all']);
    expect(await manifestAt('a/index:all')).toEqual(Buffer.from(made.manifest.bytes));
    for (const { manifest } of made.children) {
      const child = await fetch(`${registry.url}/v2/a/index/manifests/${manifest.digest}`);
      expect(child.status).toBe(200);
    }
    await stowage.print(['push', layout, 'a/arm:1', '--platform', 'linux/arm64']);
    expect(digestOf(await manifestAt('a/arm:1'))).toBe(made.children[1]?.manifest.digest);
    expect(await stowage.run(['push', layout, 'a/arm:2', '--platform', 'linux/s390x'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no image for linux/s390x in it, but for linux/amd64, linux/arm64'),
    });
  });

  it('arrives alone where it is all that is there of an index, and says so', async () => {
    const [amd, arm] = [imageOf(['only amd']), imageOf(['no arm'], 'linux/arm64')];
    const whole = indexOf({ 'linux/amd64': amd, 'linux/arm64': arm });
    const layout = await writeLayout({ made: { ...whole, blobs: amd.blobs, children: [amd] } });
    const { stderr, code } = await stowage.run(['push', layout, 'a/part:1']);
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('only linux/amd64 is there'),
    });
    expect(digestOf(await manifestAt('a/part:1'))).toBe(amd.manifest.digest);
  });

  it('is chosen by its name where there are several', async () => {
    const [one, two] = [imageOf(['one']), imageOf(['two'])];
    const layout = await writeLayout(
      { made: one, names: { 'org.opencontainers.image.ref.name': '1' } },
      { made: two, names: { 'io.containerd.image.name': 'docker.io/library/app:2' } },
    );
    expect(await stowage.run(['push', layout, 'a/two:1'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/there are 2 images in it; choose one with --image: 1, docker/),
    });
    await stowage.print(['push', layout, 'a/two:1', '--image', 'app:2']);
    expect(digestOf(await manifestAt('a/two:1'))).toBe(two.manifest.digest);
  });

  it('is refused before anything is tagged where its bytes are wrong', async () => {
    const made = imageOf(['a good layer', randomBytes(1_000_000)]);
    const layout = await writeLayout({ made });
    const { digest = '', size = 0 } = made.blobs[2] ?? {};
    await writeFile(join(layout, 'blobs/sha256', digest.slice(7)), randomBytes(size));
    expect(await stowage.run(['push', layout, 'a/wrong:1'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`blob ${digest} is damaged`),
    });
    await expect(manifestAt('a/wrong:1')).rejects.toThrow('404');
    expect((await fetch(`${registry.url}/v2/a/wrong/blobs/${digest}`)).status).toBe(404);
  });

  it('is refused before anything is sent where a blob is missing or has another size', async () => {
    const layout = await writeLayout({ made: image });
    const path = join(layout, 'blobs/sha256', image.blobs[2]?.digest.slice(7) ?? '');
    await writeFile(path, 'short');
    expect(await stowage.run(['push', layout, 'a/short:1'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is damaged: it has 5 bytes, where its manifest says \d+\n$/),
    });
    await rm(path);
    expect(await stowage.run(['push', layout, 'a/short:1'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`there is no ${image.blobs[2]?.digest} in it`),
    });
    expect((await fetch(`${registry.url}/v2/a/short/blobs/${image.blobs[0]?.digest}`)).status).toBe(404);
  });
});

describe('an image as docker saves it', () => {
  const layers = [
    Buffer.from('a layer\n'.repeat(10_000)),
    randomBytes(50_000),
    Buffer.from('a layer\n'.repeat(10_000)),
  ];

  it('keeps its image ID, with layers packed the same way each time', async () => {
    const { folder: saved, config } = await writeDockerSave(layers, ['app:1']);
    const source = await archive(saved);
    const first = await stowage.print(['push', source, 'd/app:1']);
    const again = await stowage.run(['push', source, 'd/app:2']);
    expect(again).toMatchObject({ code: 0, stdout: first, stderr: expect.stringContaining('0 blobs sent') });
    const manifest = JSON.parse((await manifestAt('d/app:1')).toString());
    expect(manifest).toMatchObject({ mediaType: DOCKER_MANIFEST, config: { digest: config.digest } });
    const sent = await Promise.all(
      manifest.layers.map(async ({ digest }: { digest: string }) =>
        gunzipSync(await blobAt('d/app', digest)),
      ),
    );
    expect(sent).toEqual(layers);
  });

  it('comes out of docker itself, under its own name', async () => {
    const { folder: saved, config } = await writeDockerSave(layers, ['app:7']);
    const name = `${new URL(registry.url).host}/d/own:7`;
    const docker = await programThat(
      'docker',
      `test "$*" = "save -- ${name}" && cat ${await archive(saved)}`,
    );
    const tmp = await scratch();
    const with_ = new Stowage(folder, environment({ PATH: docker, TMPDIR: tmp }));
    expect(await with_.print(['push', name])).toMatch(/\/d\/own@sha256:[0-9a-f]{64}\n$/);
    expect(JSON.parse((await manifestAt('d/own:7')).toString())).toMatchObject({
      config: { digest: config.digest },
    });
    expect(await readdir(tmp)).toEqual([]);
  });

  it('is packed too where docker saves a layout with plain layers', async () => {
    const { folder: saved, config } = await writeDockerSave(layers, ['app:1']);
    const plain = layers.map((layer) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: digestOf(layer),
      size: layer.length,
      bytes: layer,
    }));
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: config.digest,
        size: config.size,
      },
      layers: plain.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    });
    const bytes = new TextEncoder().encode(manifest);
    const made = {
      manifest: { bytes, digest: digestOf(bytes), size: bytes.length, mediaType: OCI_MANIFEST },
      blobs: [config, ...plain.map((layer) => ({ ...layer, bytes: new Uint8Array(layer.bytes) }))],
    };
    const layout = await writeLayout({ made });
    execFileSync('cp', ['-a', `${saved}/.`, layout]);
    await stowage.print(['push', await archive(layout), 'd/modern:1']);
    const stored = JSON.parse((await manifestAt('d/modern:1')).toString());
    expect(stored).toMatchObject({ mediaType: DOCKER_MANIFEST, config: { digest: config.digest } });
  });

  it('is refused where a layer is not what its config says', async () => {
    const { folder: saved } = await writeDockerSave(layers, ['app:1']);
    await writeFile(join(saved, `${'1'.padStart(64, '0')}/layer.tar`), randomBytes(50_000));
    expect(await stowage.run(['push', await archive(saved), 'd/wrong:1'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/layer sha256:\w+ is damaged/),
    });
    await expect(manifestAt('d/wrong:1')).rejects.toThrow('404');
  });
});

/** A PATH on which this program is the only one besides the usual. */
async function programThat(name: string, script: string): Promise<string> {
  const bin = await scratch();
  await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(bin, name), 0o755);
  return `${bin}${delimiter}/usr/bin${delimiter}/bin`;
}

describe('a source that is none', () => {
  const refuse = async (words: readonly string[], extra: Readonly<Record<string, string>> = {}) => {
    const { code, stderr } = await new Stowage(folder, environment(extra)).run(['push', ...words]);
    return `${code} ${stderr}`;
  };

  it('is told from one that docker does not know', async () => {
    const PATH = await programThat(
      'docker',
      'echo "Error response from daemon: No such image: $3" >&2; exit 1',
    );
    expect(await refuse(['nothing', 'x/y'], { PATH })).toBe(
      '1 stowage: docker save nothing: Error response from daemon: No such image: nothing\n',
    );
    expect(await refuse(['nothing', 'x/y'], { PATH: await scratch() })).toContain('no program docker to ask');
    expect(await refuse(['./nothing.tar', 'x/y'])).toBe(
      '1 stowage: there is no file or folder ./nothing.tar\n',
    );
  });

  it('is named, with what is wrong with it', async () => {
    const empty = await scratch();
    await writeFile(join(empty, 'some.tar'), 'something else'.repeat(100));
    expect(await refuse([`${empty}/`, 'x/y'])).toContain(`${empty}/: it is no image`);
    expect(await refuse([join(empty, 'some.tar'), 'x/y'])).toContain('some.tar: it is no tar archive');
    const cut = gzipSync(await readFile(await archive(await writeLayout({ made: image })))).subarray(0, 1000);
    await writeFile(join(empty, 'cut.tar.gz'), cut);
    expect(await refuse([join(empty, 'cut.tar.gz'), 'x/y'])).toContain('cut.tar.gz: it is damaged');
  });

  it('has to be given a name that an image can have', async () => {
    const layout = await writeLayout({ made: image });
    expect(await refuse([layout])).toMatch(/^2 .*what is it to be called there/);
    expect(await refuse([layout, 'Team/App'])).toMatch(/^2 .*not what an image can be called/);
    expect(await refuse([layout, 'x/y:1', '--jobs', '100'])).toMatch(/^2 .*at most 32/);
  });
});
