import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Accounts } from '../accounts.ts';
import { inheritedEnvironment, run } from '../command.ts';
import { Lanes } from '../lanes.ts';
import { NAME } from '../named-registry.ts';
import type { Errand, ErrandOptions } from './errand.ts';

const MEGABYTE = 1_000_000;

/** Of the layer, in files of a megabyte each, of which an update changes one that is small. */
const FILES = 20;
const CHANGED_BYTES = 50_000;

/** What an update may bring where several ranges are to be had in one request. */
const MOST_BYTES = MEGABYTE;

/** On AWS, where S3 gives one range at a time, the request for several is refused first, in a few words. */
const REFUSAL_BYTES = 2000;

/** podman brings of a layer in zstd:chunked only what it has not in other images: by several ranges in one request, or one by one. */
export const partialPull: Errand = { name: 'zstd-chunked', run: compare };

async function compare(options: ErrandOptions): Promise<void> {
  const { report, named, isModern } = options;
  const check = (what: string, work: () => Promise<number>) =>
    report.check('zstd', what, work, (bytes) => `${(bytes / MEGABYTE).toFixed(2)} MB`);
  if (!isModern) return report.skip('zstd', 'an update of one file', 'only with --modern');
  const podman = await Podman.open(options);
  const pushed = await check('podman pushes two versions of a layer', () => podman.pushBoth());
  const whole =
    pushed && (await check('an update of one file, as a whole layer:', () => podman.update('false')));
  if (whole === undefined) return;
  const most = named.target.harness === undefined ? MOST_BYTES : whole + REFUSAL_BYTES;
  await check('an update of one file, by what has changed:', async () => {
    const bytes = await podman.update('true');
    if (bytes > most) throw new Error(`it brought ${bytes} bytes, and may bring ${most}`);
    return bytes;
  });
}

class Podman {
  readonly #options: ErrandOptions;

  private constructor(options: ErrandOptions) {
    this.#options = options;
  }

  static async open(options: ErrandOptions): Promise<Podman> {
    await mkdir(options.directory);
    const podman = new Podman(options);
    const grants = [{ pattern: 'chunked/*', actions: ['push'] }];
    const { username, password } = await new Accounts(options.named.registry).createRobot('chunked', grants);
    await podman.#makeStore('pusher', 'false');
    await podman.#run('pusher', ['login', NAME, '--username', username, '--password-stdin'], password);
    return podman;
  }

  /** The same files but for one. Returns how many bytes the layer has. */
  async pushBoth(): Promise<number> {
    const context = join(this.#options.directory, 'context');
    await mkdir(join(context, 'files'), { recursive: true });
    await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY files /files\n');
    for (let at = 0; at < FILES; at += 1) {
      await writeFile(join(context, 'files', `${at}.bin`), randomBytes(MEGABYTE));
    }
    for (const version of ['one', 'two']) {
      await writeFile(join(context, 'files', 'changed.bin'), randomBytes(CHANGED_BYTES));
      await this.#run('pusher', ['build', '--quiet', '--tag', imageOf(version), context]);
      const format = ['--compression-format', 'zstd:chunked', '--force-compression'];
      await this.#run('pusher', ['push', '--quiet', ...format, imageOf(version)]);
    }
    return (await this.#options.named.registry.verify('chunked/app', 'two')).bytes;
  }

  /** How many bytes the second version brings to who has the first. */
  async update(isPartial: 'true' | 'false'): Promise<number> {
    const store = `puller-${isPartial}`;
    await this.#makeStore(store, isPartial);
    await this.#run(store, ['pull', '--quiet', imageOf('one')]);
    const before = await this.#bytesSent();
    await this.#run(store, ['pull', '--quiet', imageOf('two')]);
    return (await this.#bytesSent()) - before;
  }

  /** What the registry has sent; of a deployment, from wherever. */
  async #bytesSent(): Promise<number> {
    const { target, bytesSent } = this.#options.named;
    if (target.harness === undefined) return bytesSent;
    const counts = await new Lanes(target.harness).counts();
    return Object.values(counts).reduce((sum, { bytesOut }) => sum + bytesOut, 0);
  }

  /** Only the overlay driver can put a layer together from parts. */
  async #makeStore(name: string, isPartial: 'true' | 'false'): Promise<void> {
    const place = join(this.#options.directory, name);
    await mkdir(place);
    const options = `enable_partial_images = "${isPartial}", use_hard_links = "false", ostree_repos = ""`;
    const storage = `driver = "overlay"\ngraphroot = "${place}/graph"\nrunroot = "${place}/run"\n`;
    const text = `[storage]\n${storage}[storage.options]\npull_options = { ${options} }\n`;
    await writeFile(join(place, 'storage.conf'), text);
    await writeFile(join(place, 'containers.conf'), `[engine]\ntmp_dir = "${place}/libpod"\n`);
  }

  #run(store: string, args: readonly string[], input = ''): Promise<string> {
    const { named, directory, path } = this.#options;
    const place = join(directory, store);
    const env = {
      ...inheritedEnvironment(),
      ...named.trust,
      PATH: path,
      HOME: directory,
      XDG_CACHE_HOME: directory,
      XDG_RUNTIME_DIR: directory,
      CONTAINERS_STORAGE_CONF: join(place, 'storage.conf'),
      CONTAINERS_CONF: join(place, 'containers.conf'),
    };
    const command = named.within('podman', args);
    return run(command.program, command.args, { env, input, cwd: directory });
  }
}

const imageOf = (version: string) => `${NAME}/chunked/app:${version}`;
