import { readFile } from 'node:fs/promises';
import {
  type Client,
  type Copy,
  type Desk,
  digestsIn,
  type Kind,
  platformName,
  type Session,
} from './client.ts';
import { runIsolated, storageOptions } from './containers-storage.ts';
import { TAG } from './layout.ts';
import { expectEqual } from './registry.ts';

export const podman: Client = { name: 'podman', programs: ['podman'], open };

type Podman = (...args: string[]) => Promise<string>;

const INSPECT = '{{.Digest}} {{.Id}} {{.RootFS.Layers}}';

/** Imports the layouts; podman compresses anew what it pushes, so the digest is one of its own making. */
async function open(desk: Desk): Promise<Session> {
  const global = [...storageOptions(desk), '--tmpdir', desk.file('libpod')];
  const podmanRun: Podman = (...args) => runIsolated(desk, 'podman', [...global, ...args]);
  const pushes = { image: pushImage, index: pushIndex };
  return {
    version: (await desk.run('podman', ['--version'])).trim(),
    extras: [],
    push: (kind) => pushes[kind](desk, podmanRun),
    async remove() {
      await podmanRun('rmi', '--all', '--force');
      expectEqual('images left', await podmanRun('images', '--all', '--quiet'), '');
    },
    pull: (kind) => pull(desk, podmanRun, kind),
    close: async () => undefined,
  };
}

async function pushImage(desk: Desk, podmanRun: Podman): Promise<Copy> {
  const reference = desk.reference('image');
  const id = await podmanRun('pull', '--quiet', `oci:${desk.layout('image').directory}:${TAG}`);
  await podmanRun('tag', id.trim(), reference);
  const flags = ['--quiet', '--tls-verify=false', '--digestfile', desk.file('image-digest')];
  await podmanRun('push', ...flags, reference);
  const [, ...contents] = digestsIn(await podmanRun('image', 'inspect', '--format', INSPECT, reference));
  return { digest: await readFile(desk.file('image-digest'), 'utf8'), contents: [id.trim(), ...contents] };
}

async function pushIndex(desk: Desk, podmanRun: Podman): Promise<Copy> {
  const reference = desk.reference('index');
  const layout = desk.layout('index');
  await podmanRun('manifest', 'create', reference);
  await podmanRun('manifest', 'add', '--all', reference, `oci:${layout.directory}:${TAG}`);
  const flags = ['--quiet', '--all', '--tls-verify=false', '--digestfile', desk.file('index-digest')];
  await podmanRun('manifest', 'push', ...flags, reference, `docker://${reference}`);
  const contents = layout.platforms.flatMap(({ id, layers }) => [
    id.replace('sha256:', ''),
    ...layers.map(({ diffId }) => diffId),
  ]);
  return { digest: await readFile(desk.file('index-digest'), 'utf8'), contents };
}

/** Pulls for every platform there is; each time podman names the digest of what the tag stands for. */
async function pull(desk: Desk, podmanRun: Podman, kind: Kind): Promise<Copy> {
  const digests = new Set<string>();
  const contents: string[] = [];
  for (const { platform } of desk.layout(kind).platforms) {
    const flags = ['--quiet', '--tls-verify=false', '--platform', platformName(platform)];
    const id = await podmanRun('pull', ...flags, desk.reference(kind));
    const inspected = await podmanRun('image', 'inspect', '--format', INSPECT, desk.reference(kind));
    const [digest, ...layers] = digestsIn(inspected);
    digests.add(digest ?? 'none');
    contents.push(id.trim(), ...layers);
  }
  return { digest: [...digests].join(' and '), contents };
}
