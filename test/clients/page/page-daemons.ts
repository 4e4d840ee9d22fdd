import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Environment, inheritedEnvironment, run } from '../command.ts';
import { containerdArguments } from '../ctr.ts';
import { type Daemon, startDaemon } from '../daemons.ts';
import { dockerdArguments } from '../docker.ts';
import type { NamedRegistry } from '../named-registry.ts';

export type DaemonName = 'docker' | 'containerd';

interface Kind {
  readonly program: string;
  /** What asks it whether it answers. */
  readonly client: string;
  args(directory: string): Promise<string[]>;
  /** Where its clients find its socket. */
  socket(directory: string): Environment;
}

const KINDS: Readonly<Record<DaemonName, Kind>> = {
  docker: {
    program: 'dockerd',
    client: 'docker',
    args: (directory) => dockerdArguments(directory, 'graph driver'),
    socket: (directory) => ({ DOCKER_HOST: `unix://${directory}/docker.sock` }),
  },
  containerd: {
    program: 'containerd',
    client: 'ctr',
    args: containerdArguments,
    socket: (directory) => ({ CONTAINERD_ADDRESS: `${directory}/containerd.sock` }),
  },
};

/** Daemons that know the registry by its name; the parts of the page share them. */
export class PageDaemons {
  readonly #named: NamedRegistry;
  readonly #directory: string;
  readonly #path: string;
  readonly #daemons = new Map<DaemonName, Daemon>();

  constructor(named: NamedRegistry, directory: string, path: string) {
    this.#named = named;
    this.#directory = directory;
    this.#path = path;
  }

  /** Starts it if it is not there, and tells what its clients need to find it. */
  async started(name: DaemonName): Promise<Environment> {
    const kind = KINDS[name];
    const directory = join(this.#directory, `${name}-daemon`);
    if (!this.#daemons.has(name)) this.#daemons.set(name, await this.#start(kind, directory));
    return kind.socket(directory);
  }

  async stop(): Promise<void> {
    for (const daemon of this.#daemons.values()) await daemon.stop();
  }

  async #start({ program, client, args, socket }: Kind, directory: string): Promise<Daemon> {
    await mkdir(directory);
    const places = { PATH: this.#path, XDG_CACHE_HOME: directory };
    const env = { ...inheritedEnvironment(), ...this.#named.trust, ...places, ...socket(directory) };
    return await startDaemon({
      ...this.#named.within(program, await args(directory)),
      env,
      log: join(directory, 'log'),
      answers: () => run(client, ['version'], { env }),
    });
  }
}
