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
import { expectEqual } from './registry.ts';

export const buildah: Client = { name: 'buildah', programs: ['buildah'], open };

type Buildah = (...args: string[]) => Promise<string>;

/** Builds its images from the Dockerfiles, one layer for each line that adds something. */
async function open(desk: Desk): Promise<Session> {
  const global = storageOptions(desk);
  const buildahRun: Buildah = (...args) => runIsolated(desk, 'buildah', [...global, ...args]);
  const pushes = { image: pushImage, index: pushIndex };
  return {
    version: (await desk.run('buildah', ['--version'])).trim(),
    extras: [],
    push: (kind) => pushes[kind](desk, buildahRun),
    async remove() {
      await buildahRun('rmi', '--all', '--force');
      expectEqual('images left', await buildahRun('images', '--all', '--quiet'), '');
    },
    pull: (kind) => pull(desk, buildahRun, kind),
    close: async () => undefined,
  };
}

async function pushImage(desk: Desk, buildahRun: Buildah): Promise<Copy> {
  const reference = desk.reference('image');
  const contents: string[] = [];
  for (const { context } of desk.layout('image').platforms) {
    const id = await buildahRun('bud', '--quiet', '--layers', '--tag', reference, context);
    contents.push(...(await inspect(buildahRun, id)));
  }
  const flags = ['--quiet', '--tls-verify=false', '--digestfile', desk.file('image-digest')];
  await buildahRun('push', ...flags, reference, `docker://${reference}`);
  return { digest: await readFile(desk.file('image-digest'), 'utf8'), contents };
}

async function pushIndex(desk: Desk, buildahRun: Buildah): Promise<Copy> {
  const reference = desk.reference('index');
  const contents: string[] = [];
  await buildahRun('manifest', 'create', reference);
  for (const { platform, context } of desk.layout('index').platforms) {
    const target = ['--platform', platformName(platform), '--manifest', reference];
    const id = await buildahRun('bud', '--quiet', '--layers', ...target, context);
    contents.push(...(await inspect(buildahRun, id)));
  }
  const flags = ['--quiet', '--all', '--tls-verify=false', '--digestfile', desk.file('index-digest')];
  await buildahRun('manifest', 'push', ...flags, reference, `docker://${reference}`);
  return { digest: await readFile(desk.file('index-digest'), 'utf8'), contents };
}

/** Pulls for every platform there is; each time buildah lists the digest of what the tag stands for. */
async function pull(desk: Desk, buildahRun: Buildah, kind: Kind): Promise<Copy> {
  const reference = desk.reference(kind);
  const digests = new Set<string>();
  const contents: string[] = [];
  for (const { platform } of desk.layout(kind).platforms) {
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
