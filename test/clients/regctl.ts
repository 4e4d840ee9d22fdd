import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { Client, Copy, Desk, ExtraCheck, Session } from './client.ts';
import { TAG } from './layout.ts';
import { layoutSession } from './layout-client.ts';
import { expectEqual } from './registry.ts';
import { SBOM_MEDIA_TYPE, SBOM_TYPE, writeSbom } from './sbom.ts';

const LAST_CHUNK_BYTES = 1000;

export const regctl: Client = {
  name: 'regctl',
  sends: 'PUT',
  programs: ['regctl'],
  open,
};

async function open(desk: Desk): Promise<Session> {
  const copy = (from: string, to: string) => regctlRun(desk, ['image', 'copy', from, to]);
  const version = await regctlRun(desk, ['version', '--format', '{{.VCSTag}}']);
  return layoutSession(desk, {
    version: `regctl ${version.trim()}`,
    login: ({ username, password }) =>
      regctlRun(
        desk,
        ['registry', 'login', '--user', username, '--pass-stdin', desk.registry.host],
        password,
      ),
    logout: () => regctlRun(desk, ['registry', 'logout', desk.registry.host]),
    push: (directory, reference) => copy(`ocidir://${directory}:${TAG}`, reference),
    pull: (reference, directory) => copy(reference, `ocidir://${directory}:${TAG}`),
    extras: [inChunks(desk), artifact(desk)],
  });
}

/** The only client that sends a blob in pieces; of a file that no registry has, or it would be mounted. */
function inChunks(desk: Desk): ExtraCheck {
  return {
    what: 'pushes a file in chunks',
    async run() {
      const repository = `${desk.repository('image')}-chunks`;
      const { chunkBytes, chunks } = desk.images.sizes;
      const bytes = randomBytes((chunks - 1) * chunkBytes + LAST_CHUNK_BYTES);
      await writeFile(desk.file('chunked.bin'), bytes);
      const { host } = desk.registry;
      const limits = ['--blob-max', String(chunkBytes), '--blob-chunk', String(chunkBytes)];
      await regctlRun(desk, ['registry', 'set', ...limits, host]);
      const put = ['artifact', 'put', '--artifact-type', 'application/vnd.example.bytes', '--file'];
      await regctlRun(desk, [...put, 'chunked.bin', `${host}/${repository}:${TAG}`]);
      await regctlRun(desk, ['registry', 'set', '--blob-max', '-1', '--blob-chunk', '0', host]);
      const stored = await desk.registry.verify(repository, TAG);
      expectEqual('blobs of the file', stored.blobs, 2);
    },
  };
}

function artifact(desk: Desk): ExtraCheck {
  const reference = desk.reference('image');
  return {
    what: 'puts an artifact, lists it, gets it back',
    async run(image: Copy) {
      const sbom = await writeSbom(desk, image.digest);
      const file = ['--file', 'sbom.json', '--file-media-type', SBOM_MEDIA_TYPE];
      await regctlRun(desk, [
        'artifact',
        'put',
        '--artifact-type',
        SBOM_TYPE,
        '--subject',
        reference,
        ...file,
      ]);
      const list = ['artifact', 'list', reference, '--format'];
      const listed = await regctlRun(desk, [...list, '{{range .Descriptors}}{{.ArtifactType}} {{end}}']);
      expectEqual('listed', listed.trim(), SBOM_TYPE);
      const filter = ['--filter-artifact-type', SBOM_TYPE];
      const got = await regctlRun(desk, ['artifact', 'get', '--subject', reference, ...filter]);
      expectEqual('what was put', got, sbom);
    },
  };
}

function regctlRun(desk: Desk, args: readonly string[], input = ''): Promise<string> {
  const host = `reg=${desk.registry.host},tls=disabled`;
  const env = { ...desk.env, REGCTL_CONFIG: desk.file('regctl.json') };
  return desk.run('regctl', ['--host', host, ...args], { env, input });
}
