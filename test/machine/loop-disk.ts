import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whether this machine lets a test make file systems of its own: root on Linux, with loop devices. */
export const canMount =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  existsSync('/dev/loop-control') &&
  existsSync('/sbin/mkfs.ext4');

/** The journal is written when somebody syncs, not by itself meanwhile: what was not synced is lost with the power. */
const OPTIONS = 'loop,commit=300';

/** An ext4 file system in a file. */
export class LoopDisk {
  readonly #directory: string;
  readonly #mounted = new Set<string>();
  #copies = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** `within` is where the file lies. @default a directory of its own, which goes with it */
  static async make(megabytes: number, within?: string): Promise<LoopDisk> {
    const disk = new LoopDisk(within ?? (await mkdtemp(join(tmpdir(), 'stowage-disk-'))));
    await writeFile(disk.#image, '');
    await run('truncate', ['-s', `${megabytes}M`, disk.#image]);
    await run('mkfs.ext4', ['-q', '-F', '-b', '4096', disk.#image]);
    await disk.#mount(disk.#image, disk.path);
    return disk;
  }

  /** Where it is mounted. */
  get path(): string {
    return join(this.#directory, 'disk');
  }

  /** Has what the file lies on keep room for its first megabytes, where the file system's own journal and tables are. */
  async reserve(megabytes: number): Promise<void> {
    await run('fallocate', ['--keep-size', '--offset', '0', '--length', `${megabytes}M`, this.#image]);
  }

  get #image(): string {
    return join(this.#directory, 'disk.img');
  }

  /** What would be found after a loss of power at this moment, mounted: where it is. Nobody may write meanwhile. */
  async copy(): Promise<string> {
    this.#copies += 1;
    const image = join(this.#directory, `copy-${this.#copies}.img`);
    await run('cp', ['--sparse=always', this.#image, image]);
    const path = join(this.#directory, `copy-${this.#copies}`);
    await this.#mount(image, path);
    return path;
  }

  /** As a reboot of the machine does: what is in memory alone is gone. */
  async remount(): Promise<void> {
    await run('umount', [this.path]);
    this.#mounted.delete(this.path);
    await this.#mount(this.#image, this.path);
  }

  /** Loses what the file system knows of a file, as a failing disk does: what remains is its name. */
  async loseInode(path: string): Promise<void> {
    const name = path.slice(this.path.length);
    await run('umount', [this.path]);
    this.#mounted.delete(this.path);
    await run('debugfs', ['-w', '-R', `clri ${name}`, this.#image]);
    await this.#mount(this.#image, this.path);
  }

  async release(path: string): Promise<void> {
    await run('umount', [path]);
    this.#mounted.delete(path);
    await rm(`${path}.img`, { force: true });
  }

  async remove(): Promise<void> {
    for (const path of this.#mounted) await run('umount', ['--lazy', path]).catch(() => undefined);
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #mount(image: string, path: string): Promise<void> {
    await mkdir(path, { recursive: true });
    await run('mount', ['-o', OPTIONS, image, path]);
    this.#mounted.add(path);
  }
}
