import { writeFile } from 'node:fs/promises';
import { type Client, type Copy, type Desk, digestIn, digestsIn, type Kind, type Session } from './client.ts';
import { startDaemon } from './daemons.ts';
import { hashedBlobs } from './layout.ts';
import { expectEqual } from './registry.ts';

export const ctr: Client = { name: 'ctr', programs: ['containerd', 'ctr'], open };

/** Where containerd keeps blobs, under its root. */
const CONTENT = 'io.containerd.content.v1.content/blobs/sha256';

/** The native snapshotter unpacks on any file system; the CRI plugin wants a network we do not have. */
const configOf = (desk: Desk) => `
version = 2
root = "${desk.file('root')}"
state = "${desk.file('state')}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${desk.file('containerd.sock')}"
`;

async function open(desk: Desk): Promise<Session> {
  await writeFile(desk.file('config.toml'), configOf(desk));
  const ctrRun = (...args: string[]) =>
    desk.run('ctr', args, {
      env: {
        ...desk.env,
        CONTAINERD_ADDRESS: desk.file('containerd.sock'),
        CONTAINERD_SNAPSHOTTER: 'native',
      },
    });
  const daemon = await startDaemon({
    program: 'containerd',
    args: ['--config', desk.file('config.toml'), '--log-level', 'warn'],
    env: desk.env,
    log: desk.file('containerd.log'),
    answers: () => ctrRun('version'),
  });
  return {
    version: (await ctrRun('--version')).trim(),
    extras: [],
    push: (kind) => push(desk, ctrRun, kind),
    async remove() {
      const names = (await ctrRun('images', 'ls', '--quiet')).split('\n').filter((name) => name !== '');
      await ctrRun('images', 'rm', '--sync', ...names);
      expectEqual('blobs left', digestsIn(await ctrRun('content', 'ls', '--quiet')), []);
    },
    async pull(kind) {
      await ctrRun('images', 'pull', '--plain-http', '--all-platforms', desk.reference(kind));
      return await stored(desk, ctrRun, kind);
    },
    close: () => daemon.stop(),
  };
}

type Ctr = (...args: string[]) => Promise<string>;

async function push(desk: Desk, ctrRun: Ctr, kind: Kind): Promise<Copy> {
  const archive = desk.file(`${kind}.tar`);
  await desk.run('tar', ['--create', `--file=${archive}`, `--directory=${desk.layout(kind).directory}`, '.']);
  const name = desk.reference(kind).replace(/:[^:/]*$/, '');
  await ctrRun('images', 'import', '--no-unpack', '--all-platforms', '--base-name', name, archive);
  await ctrRun('images', 'push', '--plain-http', desk.reference(kind));
  return await stored(desk, ctrRun, kind);
}

/** The digest containerd has under the name, and those blobs of it that are in the store, hashed again. */
async function stored(desk: Desk, ctrRun: Ctr, kind: Kind): Promise<Copy> {
  const digest = digestIn(await ctrRun('images', 'ls', `name==${desk.reference(kind)}`));
  const blobs = await hashedBlobs(desk.file('root', CONTENT));
  const wanted = new Set(desk.layout(kind).blobs);
  return { digest, contents: blobs.filter((blob) => wanted.has(blob)) };
}
