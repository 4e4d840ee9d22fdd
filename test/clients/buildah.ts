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
import { expectEqual } from './registry.ts';

export const buildah: Client = { name: 'buildah', sends: 'PATCH', programs: ['buildah'], open };

type Buildah = (...args: string[]) => Promise<string>;

/** Builds its images from the Dockerfiles, one layer for each line that adds something. */
async function open(desk: Desk): Promise<Session> {
  const global = storageOptions(desk);
  const buildahRun: Buildah = (...args) => runIsolated(desk, 'buildah', [...global, ...args]);
  const { host } = desk.registry;
  const pushes = { image: pushImage, index: pushIndex };
  return {
    version: (await desk.run('buildah', ['--version'])).trim(),
    extras: [],
    async login({ username, password }) {
      const login = ['login', '--tls-verify=false', '--username', username, '--password-stdin', host];
      await runIsolated(desk, 'buildah', [...global, ...login], password);
    },
    async logout() {
      await buildahRun('logout', host);
    },
    push: (parcel) => pushes[parcel.kind](desk, buildahRun, parcel),
    async remove() {
      await buildahRun('rmi', '--all', '--force');
      expectEqual('images left', await buildahRun('images', '--all', '--quiet'), '');
    },
    pull: (parcel) => pull(buildahRun, parcel),
    close: async () => undefined,
  };
}

async function pushImage(desk: Desk, buildahRun: Buildah, parcel: Parcel): Promise<Copy> {
  const { reference, layout } = parcel;
  const contents: string[] = [];
  for (const { context } of layout.platforms) {
    const id = await buildahRun('bud', '--quiet', '--layers', '--tag', reference, context);
    contents.push(...(await inspect(buildahRun, id)));
  }
  const flags = ['--quiet', '--tls-verify=false', '--digestfile', digestFile(desk, parcel)];
  await buildahRun('push', ...flags, reference, `docker://${reference}`);
  return { digest: await readFile(digestFile(desk, parcel), 'utf8'), contents };
}

async function pushIndex(desk: Desk, buildahRun: Buildah, parcel: Parcel): Promise<Copy> {
  const { reference, layout } = parcel;
  const contents: string[] = [];
  await buildahRun('manifest', 'create', reference);
  for (const { platform, context } of layout.platforms) {
    const target = ['--platform', platformName(platform), '--manifest', reference];
    const id = await buildahRun('bud', '--quiet', '--layers', ...target, context);
    contents.push(...(await inspect(buildahRun, id)));
  }
  const flags = ['--quiet', '--all', '--tls-verify=false', '--digestfile', digestFile(desk, parcel)];
  await buildahRun('manifest', 'push', ...flags, reference, `docker://${reference}`);
  return { digest: await readFile(digestFile(desk, parcel), 'utf8'), contents };
}

/** Pulls for every platform there is; each time buildah lists the digest of what the tag stands for. */
async function pull(buildahRun: Buildah, { reference, layout }: Parcel): Promise<Copy> {
  const digests = new Set<string>();
  const contents: string[] = [];
  for (const { platform } of layout.platforms) {
    const flags = ['--quiet', '--tls-verify=false', '--platform', platformName(platform)];
    contents.push(...(await inspect(buildahRun, await buildahRun('pull', ...flags, reference))));
    digests.add(digestsIn(await buildahRun('images', '--json', reference)).join(' '));
  }
  return { digest: [...digests].join(' and '), contents };
}

/** The image's id, then the digests of its unpacked layers. */
async function inspect(buildahRun: Buildah, image: string): Promise<string[]> {
  const id = image.trim();
  const format = ['--type', 'image', '--format', '{{.OCIv1.RootFS.DiffIDs}}'];
  return [id, ...digestsIn(await buildahRun('inspect', ...format, id))];
}

const digestFile = (desk: Desk, { name }: Parcel) => desk.file(`${name}-digest`);
