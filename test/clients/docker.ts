import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Client,
  type Copy,
  type Desk,
  digestIn,
  digestsIn,
  type Parcel,
  platformName,
  type Session,
} from './client.ts';
import { CommandError } from './command.ts';
import { startDaemon } from './daemons.ts';
import { type Credentials, expectEqual } from './registry.ts';
import { Skip } from './report.ts';

/** With graph drivers, as every docker before 29 that nobody told otherwise. */
export const docker: Client = {
  name: 'docker',
  sends: 'PATCH',
  programs: ['dockerd', 'docker'],
  open: (desk) => open(desk, 'graph driver'),
};

/** With containerd's store, which 29 has by default. Before 23 it is not there. */
export const dockerContainerd: Client = {
  name: 'docker-c8d',
  sends: 'PUT',
  isModern: true,
  refusedByStatus: true,
  programs: ['dockerd', 'docker'],
  open: (desk) => open(desk, 'containerd'),
};

/** Where the daemon keeps images. */
type Store = 'graph driver' | 'containerd';

/** What `docker login` leaves behind, by host. */
interface Config {
  readonly auths: Readonly<Record<string, { readonly auth?: string; readonly identitytoken?: string }>>;
}

/** Id, then layers. In containerd's store the id of what was pulled is the index's, not the image's that was built. */
const INSPECT: Readonly<Record<Store, string>> = {
  'graph driver': '{{.Id}} {{json .RootFS.Layers}}',
  containerd: '{{json .RootFS.Layers}}',
};

/** Of a daemon that keeps everything in `directory`, its socket `docker.sock` too. */
export async function dockerdArguments(directory: string, store: Store): Promise<string[]> {
  const file = (name: string) => join(directory, name);
  const network = ['--iptables=false', '--ip6tables=false', '--bridge=none'];
  const places = ['--data-root', file('data-root'), '--exec-root', file('exec-root')];
  const socket = ['--host', `unix://${file('docker.sock')}`, '--pidfile', file('docker.pid')];
  const config = { features: { 'containerd-snapshotter': store === 'containerd' } };
  await writeFile(file('daemon.json'), JSON.stringify(config));
  return [...network, ...places, ...socket, '--config-file', file('daemon.json')];
}

async function open(desk: Desk, store: Store): Promise<Session> {
  const session = new DockerSession(desk, store);
  await session.start();
  return session;
}

/** A docker daemon of its own, with no network but the host's. */
class DockerSession implements Session {
  version = '';
  readonly extras = [
    { what: 'runs a container of the pulled image', run: () => this.#runPulled() },
    { what: 'did all that with a refresh token, and keeps no password', run: () => this.#keepsNoPassword() },
  ];
  readonly #desk: Desk;
  readonly #store: Store;
  #daemon: { stop(): Promise<void> } | undefined;
  /** Why no container runs here even from an image that was never pushed; empty if one does. */
  #runFailure = '';

  constructor(desk: Desk, store: Store) {
    this.#desk = desk;
    this.#store = store;
  }

  async start(): Promise<void> {
    this.#daemon = await startDaemon({
      program: 'dockerd',
      args: await dockerdArguments(this.#desk.directory, this.#store),
      env: this.#desk.env,
      log: this.#desk.file('dockerd.log'),
      answers: () => this.#docker('version'),
    });
    const format = '{{.Client.Version}}, daemon {{.Server.Version}}';
    this.version = `docker ${await this.#docker('version', '--format', format)}`.trim();
  }

  async login({ username, password }: Credentials): Promise<void> {
    const args = ['login', '--username', username, '--password-stdin', this.#desk.registry.host];
    await this.#run(args, password);
  }

  async logout(): Promise<void> {
    await this.#docker('logout', this.#desk.registry.host);
  }

  push(parcel: Parcel): Promise<Copy> {
    return parcel.kind === 'image' ? this.#pushImage(parcel) : this.#pushIndex(parcel);
  }

  async remove(): Promise<void> {
    await this.#docker('image', 'prune', '--all', '--force');
    expectEqual('images left', await this.#docker('image', 'ls', '--all', '--quiet'), '');
  }

  /** Pulls for every platform there is; the first pull, of this machine's, names the digest. */
  async pull({ kind, layout, reference }: Parcel): Promise<Copy> {
    const digests: string[] = [];
    const contents: string[] = [];
    for (const { platform } of layout.platforms) {
      const flags = kind === 'index' ? ['--platform', platformName(platform)] : [];
      digests.push(digestIn(await this.#docker('pull', ...flags, reference)));
      if (this.#tells(contents)) contents.push(...(await this.#inspect(reference)));
    }
    return { digest: [...new Set(digests)].join(' and '), contents };
  }

  async close(): Promise<void> {
    await this.#daemon?.stop();
  }

  async #pushImage({ layout, reference }: Parcel): Promise<Copy> {
    for (const { context } of layout.platforms) await this.#build(reference, context);
    if (layout === this.#desk.images.image) {
      this.#runFailure = await this.#runs(reference).then(
        () => '',
        (error: unknown) => (error instanceof CommandError ? error.stderr.trim() : String(error)),
      );
    }
    const digest = digestIn(await this.#docker('push', reference));
    return { digest, contents: await this.#inspect(reference) };
  }

  /** A manifest list is made of images that are in the registry already, each under a tag of its own. */
  async #pushIndex({ layout, reference }: Parcel): Promise<Copy> {
    const tags: string[] = [];
    const contents: string[] = [];
    for (const { platform, context } of layout.platforms) {
      const tag = `${reference}-${platform.architecture}`;
      await this.#build(tag, context, '--platform', platformName(platform));
      await this.#docker('push', tag);
      if (this.#tells(contents)) contents.push(...(await this.#inspect(tag)));
      tags.push(tag);
    }
    await this.#docker('manifest', 'create', '--insecure', reference, ...tags);
    const digest = digestIn(await this.#docker('manifest', 'push', '--insecure', '--purge', reference));
    return { digest, contents };
  }

  async #build(reference: string, context: string, ...flags: string[]): Promise<void> {
    await this.#docker('build', '--quiet', ...flags, '--tag', reference, context);
  }

  /** Of an index in containerd's store docker shows this machine's image only, which is the first. */
  #tells(contents: readonly string[]): boolean {
    return this.#store !== 'containerd' || contents.length === 0;
  }

  async #inspect(reference: string): Promise<string[]> {
    return digestsIn(await this.#docker('image', 'inspect', '--format', INSPECT[this.#store], reference));
  }

  async #runPulled(): Promise<void> {
    if (this.#runFailure !== '') throw new Skip(`docker run: ${this.#runFailure}`);
    await this.#runs(this.#desk.reference('image'));
  }

  async #keepsNoPassword(): Promise<void> {
    const { auths } = JSON.parse(await readFile(this.#desk.file('config', 'config.json'), 'utf8')) as Config;
    const { auth = '', identitytoken = '' } = auths[this.#desk.registry.host] ?? {};
    expectEqual('password', Buffer.from(auth, 'base64').toString().split(':')[1], '');
    expectEqual('whether there is a refresh token', identitytoken.length > 0, true);
  }

  async #runs(reference: string): Promise<void> {
    const printed = await this.#docker('run', '--rm', '--network', 'none', reference);
    expectEqual('what the container prints', printed.trim(), this.#desk.images.greeting);
  }

  #docker(...args: string[]): Promise<string> {
    return this.#run(args);
  }

  #run(args: readonly string[], input = ''): Promise<string> {
    const desk = this.#desk;
    const env = {
      ...desk.env,
      DOCKER_HOST: `unix://${desk.file('docker.sock')}`,
      DOCKER_CONFIG: desk.file('config'),
      DOCKER_BUILDKIT: '0', // the daemon's own builder: buildx is another program
      DOCKER_CLI_EXPERIMENTAL: 'enabled', // `docker manifest`, in 20.10
    };
    return desk.run('docker', args, { env, input });
  }
}
