import { readFile } from 'node:fs/promises';
import {
  type Client,
  type Copy,
  type Desk,
  digestsIn,
  type Parcel,
  platformName,
  type Session,
} from './client.ts';
import { runIsolated, storageOptions } from './containers-storage.ts';
import { TAG } from './layout.ts';
import { expectEqual } from './registry.ts';

export const podman: Client = { name: 'podman', sends: 'PATCH', programs: ['podman'], open };

type Podman = (...args: string[]) => Promise<string>;

const INSPECT = '{{.Digest}} {{.Id}} {{.RootFS.Layers}}';

const INSPECT_PULLED = '{{.RepoDigests}}\n{{.RootFS.Layers}}';

/** Imports the layouts; podman compresses anew what it pushes, so the digest is one of its own making. */
async function open(desk: Desk): Promise<Session> {
  const global = [...storageOptions(desk), '--tmpdir', desk.file('libpod')];
  const podmanRun: Podman = (...args) => runIsolated(desk, 'podman', [...global, ...args]);
  const { host } = desk.registry;
  const pushes = { image: pushImage, index: pushIndex };
  return {
    version: (await desk.run('podman', ['--version'])).trim(),
    extras: [],
    async login({ username, password }) {
      const login = ['login', '--tls-verify=false', '--username', username, '--password-stdin', host];
      await runIsolated(desk, 'podman', [...global, ...login], password);
    },
    async logout() {
      await podmanRun('logout', host);
    },
    push: (parcel) => pushes[parcel.kind](desk, podmanRun, parcel),
    async remove() {
      await podmanRun('rmi', '--all', '--force');
      expectEqual('images left', await podmanRun('images', '--all', '--quiet'), '');
    },
    pull: (parcel) => pull(podmanRun, parcel),
    close: async () => undefined,
  };
}

async function pushImage(desk: Desk, podmanRun: Podman, parcel: Parcel): Promise<Copy> {
  const { reference, layout } = parcel;
  const id = await podmanRun('pull', '--quiet', `oci:${layout.directory}:${TAG}`);
  await podmanRun('tag', id.trim(), reference);
  const flags = ['--quiet', '--tls-verify=false', '--digestfile', digestFile(desk, parcel)];
  await podmanRun('push', ...flags, reference);
  const [, ...contents] = digestsIn(await podmanRun('image', 'inspect', '--format', INSPECT, reference));
  const digest = await readFile(digestFile(desk, parcel), 'utf8');
  return { digest, contents: [id.trim(), ...contents] };
}

async function pushIndex(desk: Desk, podmanRun: Podman, parcel: Parcel): Promise<Copy> {
  const { reference, layout } = parcel;
  await podmanRun('manifest', 'create', reference);
  await podmanRun('manifest', 'add', '--all', reference, `oci:${layout.directory}:${TAG}`);
  const flags = ['--quiet', '--all', '--tls-verify=false', '--digestfile', digestFile(desk, parcel)];
  await podmanRun('manifest', 'push', ...flags, reference, `docker://${reference}`);
  const contents = layout.platforms.flatMap(({ id, layers }) => [
    id.replace('sha256:', ''),
    ...layers.map(({ diffId }) => diffId),
  ]);
  return { digest: await readFile(digestFile(desk, parcel), 'utf8'), contents };
}

/** Pulls for every platform there is. Each time podman knows the image by the digest of what the tag stands for, and
 *  where that is an index also by the platform's own: the one that all have in common is the tag's. */
async function pull(podmanRun: Podman, { reference, layout }: Parcel): Promise<Copy> {
  const named: Set<string>[] = [];
  const contents: string[] = [];
  for (const { platform } of layout.platforms) {
    const flags = ['--quiet', '--tls-verify=false', '--platform', platformName(platform)];
    const id = await podmanRun('pull', ...flags, reference);
    const inspected = await podmanRun('image', 'inspect', '--format', INSPECT_PULLED, reference);
    const [digests = '', layers = ''] = inspected.split('\n');
    named.push(new Set(digestsIn(digests)));
    contents.push(id.trim(), ...digestsIn(layers));
  }
  const common = [...(named[0] ?? [])].filter((digest) => named.every((digests) => digests.has(digest)));
  return { digest: common.join(' and '), contents };
}

const digestFile = (desk: Desk, { name }: Parcel) => desk.file(`${name}-digest`);
