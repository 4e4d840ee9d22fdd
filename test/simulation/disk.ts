import type { Disk, DiskFile, ReadableFile } from '../../local/disk.ts';
import type { Change, File, Platter } from './platter.ts';
import type { Call, World } from './world.ts';

/** The world's disk: every call waits until the scheduler lets it happen, and may fail there. */
export function scheduledDisk(world: World): Disk {
  const { platter } = world;
  const call = <T>(label: string, run: () => T, rest: Partial<Pick<Call, 'failure' | 'short'>> = {}) =>
    world.call({ label: () => label, run: async () => run(), ...rest });
  const change = <T>(path: string, label: string, run: () => T) =>
    call(`${label} ${path}`, () => {
      const answer = run();
      world.noteObject(path);
      return answer;
    });
  return {
    openToRead: (path) =>
      call(`open ${path}`, () => {
        const file = platter.names.get(path);
        return file && open(world, path, file);
      }),
    openToWrite: (path) => {
      const claim = world.stored.claim(world.clock);
      return change(path, 'open to write', () => {
        claim(path);
        return open(world, path, platter.names.get(path) ?? platter.create(path));
      });
    },
    rename: (from, to) =>
      change(to, `move ${from} to`, () => {
        platter.rename(from, to);
        world.noteObject(from);
      }),
    remove: (path) => change(path, 'remove', () => platter.remove(path)),
    stat: (path) =>
      call(`stat ${path}`, () => {
        const file = platter.names.get(path);
        return file && { size: file.content.length, mtimeMs: file.changedAt };
      }),
    async *names(directory) {
      const found = await call(`list ${directory}`, () => namesIn(platter, directory));
      yield* found;
    },
    makeDirectory: async () => undefined,
    syncDirectory: (path) => call(`sync ${path}`, () => platter.syncDirectory(path)),
  };
}

/** Of files and folders: `uploads` is one within `blobs`. */
const namesIn = ({ names }: Platter, directory: string) => {
  const below = [...names.keys()].filter((path) => path.startsWith(`${directory}/`));
  return new Set(below.map((path) => path.slice(directory.length + 1).replace(/\/.*/, '')));
};

const open = (world: World, path: string, file: File) =>
  new OpenFile(world, path, file) as unknown as DiskFile & ReadableFile;

/** A file under the name that it was opened by. */
class OpenFile {
  readonly #world: World;
  readonly #path: string;
  readonly #file: File;

  constructor(world: World, path: string, file: File) {
    [this.#world, this.#path, this.#file] = [world, path, file];
  }

  size() {
    return this.#file.content.length;
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number) {
    return this.#call('read', () => {
      const bytes = this.#file.content.subarray(position, position + length);
      buffer.set(bytes, offset);
      return { bytesRead: bytes.length, buffer };
    });
  }

  write(bytes: Uint8Array, offset: number, length: number, position: number) {
    return this.#write(Uint8Array.from(bytes.subarray(offset, offset + length)), position);
  }

  writev(batch: readonly Uint8Array[], position: number) {
    return this.#write(Buffer.concat(batch), position);
  }

  truncate(length: number) {
    return this.#call(`cut to ${length} bytes`, () => this.#change({ length }));
  }

  sync() {
    const { platter } = this.#world;
    const failure = () => {
      platter.failSync(this.#file);
      this.#world.noteObject(this.#path);
      return Object.assign(new Error('EIO'), { code: 'EIO' });
    };
    return this.#call('sync', () => platter.sync(this.#file), { failure });
  }

  async stat() {
    return { size: this.#file.content.length };
  }

  async close() {
    // Nothing can come of it.
  }

  /** Short where the disk is nearly full; where it is full, some of it may be there. */
  #write(bytes: Uint8Array, at: number) {
    const half = () => {
      const some = bytes.subarray(0, Math.ceil(bytes.length / 2));
      this.#change({ at, bytes: some });
      return { bytesWritten: some.length };
    };
    const failure = () => {
      half();
      return Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    };
    const write = () => {
      this.#change({ at, bytes });
      return { bytesWritten: bytes.length };
    };
    const label = `write ${bytes.length} bytes at ${at} to`;
    return this.#call(label, write, { failure, ...(bytes.length > 1 && { short: half }) });
  }

  #change(change: Change): void {
    this.#world.platter.change(this.#file, change);
    this.#world.noteObject(this.#path);
  }

  #call<T>(label: string, run: () => T, rest: Partial<Pick<Call, 'failure' | 'short'>> = {}): Promise<T> {
    return this.#world.call({ label: () => `${label} ${this.#path}`, run: async () => run(), ...rest });
  }
}
