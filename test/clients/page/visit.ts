import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CommandOptions, type Environment, inheritedEnvironment, run } from '../command.ts';
import type { TestImages } from '../image.ts';
import type { NamedRegistry } from '../named-registry.ts';
import type { Registry } from '../registry.ts';

export interface VisitOptions {
  readonly named: NamedRegistry;
  readonly images: TestImages;
  readonly path: string;
  /** What the page's commands find besides: the robot's secret, where the daemons' sockets are. */
  readonly env: Environment;
}

/** podman, skopeo and buildah remember, for root in one place, which registry has which blob. */
const BLOB_CACHE = '/var/lib/containers/cache';

/** A directory with what the page takes for granted, and an environment in which the registry has its name. */
export class Visit {
  readonly directory: string;
  readonly registry: Registry;
  readonly env: Environment;
  readonly #named: NamedRegistry;

  private constructor(directory: string, { named, path, env }: VisitOptions) {
    const file = (name: string) => join(directory, name);
    this.directory = directory;
    this.registry = named.registry;
    this.#named = named;
    this.env = {
      ...inheritedEnvironment(),
      ...named.trust,
      PATH: path,
      HOME: directory,
      TMPDIR: file('tmp'),
      XDG_CACHE_HOME: file('cache'),
      XDG_CONFIG_HOME: file('.config'),
      XDG_DATA_HOME: file('data'),
      XDG_RUNTIME_DIR: file('runtime'),
      DOCKER_CONFIG: file('.docker'),
      DOCKER_BUILDKIT: '0', // the daemon's own builder: buildx is another program, and a part of its own
      CONTAINERS_STORAGE_CONF: file('storage.conf'),
      CONTAINERS_CONF: file('containers.conf'),
      TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1', // the daemon has no bridge to tell its address by
      TESTCONTAINERS_RYUK_DISABLED: 'true', // a container that would be pulled from elsewhere
      COSIGN_PASSWORD: 'of-the-key',
      ...env,
    };
  }

  /** Makes `directory`, with an image's layout `image`, the same in `image.tar`, a Dockerfile, and `notes.txt`. */
  static async begin(directory: string, options: VisitOptions): Promise<Visit> {
    for (const name of ['tmp', 'cache', 'runtime']) await mkdir(join(directory, name), { recursive: true });
    const { tiny } = options.images;
    await cp(tiny.directory, join(directory, 'image'), { recursive: true });
    for (const { context } of tiny.platforms) await cp(context, directory, { recursive: true });
    const visit = new Visit(directory, options);
    await visit.write('notes.txt', 'of the test\n');
    await visit.write('src/main/java/App.java', JAVA);
    await visit.write('storage.conf', STORAGE(directory));
    await visit.write('containers.conf', `[engine]\ntmp_dir = "${directory}/libpod"\n`);
    await visit.run('tar', ['--create', '--file=image.tar', '--directory=image', '.']);
    return visit;
  }

  async write(name: string, text: string): Promise<void> {
    const file = join(this.directory, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }

  /** Runs a command as the page's are; returns what it printed. */
  run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const inside = this.#named.within(program, args);
    return run(inside.program, inside.args, { cwd: this.directory, env: this.env, ...options });
  }

  /** Runs commands of the page, with a memory of blobs of their own; the first that fails ends them. */
  script(text: string): Promise<string> {
    const ownCache = `mkdir -p ${BLOB_CACHE} && mount --bind "$XDG_CACHE_HOME" ${BLOB_CACHE}`;
    return this.run('bash', ['-euo', 'pipefail', '-c', `${ownCache}\n${text}`]);
  }
}

const JAVA = `public class App {
  public static void main(String[] arguments) {
    System.out.println("of the test");
  }
}
`;

/** vfs works on any file system. */
const STORAGE = (directory: string) => `[storage]
driver = "vfs"
graphroot = "${directory}/graph"
runroot = "${directory}/run"
`;
