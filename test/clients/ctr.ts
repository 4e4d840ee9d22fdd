import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Client,
  type Copy,
  type Desk,
  digestIn,
  digestsIn,
  type Parcel,
  type Session,
} from './client.ts';
import { startDaemon } from './daemons.ts';
import { hashedBlobs, TAG } from './layout.ts';
import { expectEqual } from './registry.ts';

export const ctr: Client = {
  name: 'ctr',
  sends: 'PUT',
  programs: ['containerd', 'ctr'],
  loginIsBlind: true,
  refusedByStatus: true,
  open,
};

/** Where containerd keeps blobs, under its root. */
const CONTENT = 'io.containerd.content.v1.content/blobs/sha256';

/** The native snapshotter unpacks on any file system; the CRI plugin wants a network we do not have. */
const configOf = (directory: string) => `
version = 2
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${directory}/containerd.sock"
`;

/** Of a daemon that keeps everything in `directory`, its socket `containerd.sock` too. */
export async function containerdArguments(directory: string): Promise<string[]> {
  const file = join(directory, 'config.toml');
  await writeFile(file, configOf(directory));
  return ['--config', file, '--log-level', 'warn'];
}

async function open(desk: Desk): Promise<Session> {
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
    args: await containerdArguments(desk.directory),
    env: desk.env,
    log: desk.file('containerd.log'),
    answers: () => ctrRun('version'),
  });
  let user: string[] = []; // it keeps no login: each command is told who it acts for
  return {
    version: (await ctrRun('--version')).trim(),
    extras: [],
    async login({ username, password }) {
      user = ['--user', `${username}:${password}`];
    },
    async logout() {
      user = [];
    },
    async push(parcel) {
      await importLayout(desk, ctrRun, parcel);
      await ctrRun('images', 'push', '--plain-http', ...user, parcel.reference);
      return await stored(desk, ctrRun, parcel);
    },
    async remove() {
      const names = (await ctrRun('images', 'ls', '--quiet')).split('\n').filter((name) => name !== '');
      await ctrRun('images', 'rm', '--sync', ...names);
      expectEqual('blobs left', digestsIn(await ctrRun('content', 'ls', '--quiet')), []);
    },
    async pull(parcel) {
      const flags = ['--plain-http', '--all-platforms', ...user];
      await ctrRun('images', 'pull', ...flags, parcel.reference);
      return await stored(desk, ctrRun, parcel);
    },
    close: () => daemon.stop(),
  };
}

type Ctr = (...args: string[]) => Promise<string>;

async function importLayout(desk: Desk, ctrRun: Ctr, { name, layout, reference }: Parcel): Promise<void> {
  const archive = desk.file(`${name}.tar`);
  await desk.run('tar', ['--create', `--file=${archive}`, `--directory=${layout.directory}`, '.']);
  const base = reference.replace(/:[^:/]*$/, '');
  await ctrRun('images', 'import', '--no-unpack', '--all-platforms', '--base-name', base, archive);
  const imported = `${base}:${TAG}`;
  if (imported !== reference) await ctrRun('images', 'tag', imported, reference);
}

/** The digest containerd has under the name, and those blobs of it that are in the store, hashed again. */
async function stored(desk: Desk, ctrRun: Ctr, { layout, reference }: Parcel): Promise<Copy> {
  const digest = digestIn(await ctrRun('images', 'ls', `name==${reference}`));
  return { digest, contents: await hashedBlobs(desk.file('root', CONTENT), layout.blobs) };
}
