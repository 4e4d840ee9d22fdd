import type { Random } from './random.ts';

/** A change of a file's bytes that no sync has made safe yet. */
export type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly length: number };

/** A file, whatever its name is. Its bytes are never changed in place. */
export interface File {
  /** As every reader sees it. */
  content: Uint8Array;
  /** On the platter. */
  safe: Uint8Array;
  pending: Change[];
  changedAt: number;
}

/** A change of a directory that no sync of it has made safe yet. */
interface Renaming {
  readonly paths: readonly string[];
  readonly apply: (names: Map<string, File>) => void;
}

/** What a machine's disk holds: what readers see, which the kernel has in memory, and what is safe from a power cut. A failed
 *  sync is told once: the kernel then takes what it could not write for written. */
export class Platter {
  names = new Map<string, File>();
  #safeNames = new Map<string, File>();
  #pending: Renaming[] = [];
  readonly #random: Random;
  readonly #now: () => number;

  constructor(random: Random, now: () => number) {
    [this.#random, this.#now] = [random, now];
  }

  create(path: string): File {
    const file: File = { content: Buffer.of(), safe: Buffer.of(), pending: [], changedAt: this.#now() };
    this.#change([path], (names) => names.set(path, file));
    return file;
  }

  rename(from: string, to: string): void {
    const file = this.names.get(from);
    if (!file) throw Object.assign(new Error(`ENOENT: ${from}`), { code: 'ENOENT' });
    this.#change([from, to], (names) => {
      names.delete(from);
      names.set(to, file);
    });
  }

  remove(path: string): void {
    if (this.names.has(path)) this.#change([path], (names) => names.delete(path));
  }

  change(file: File, change: Change): void {
    file.content = changed(file.content, change);
    file.pending.push(change);
    file.changedAt = this.#now();
  }

  sync(file: File): void {
    for (const change of file.pending) file.safe = changed(file.safe, change);
    file.pending = [];
  }

  /** What was to be written is dropped, and nobody is told again. */
  failSync(file: File): void {
    file.pending = [];
  }

  /** What it has to do with comes along: the order of what happens to a name is kept. */
  syncDirectory(directory: string): void {
    const paths = new Set<string>();
    const isDue = (renaming: Renaming) => {
      const isDrawn = renaming.paths.some((path) => directoryOf(path) === directory || paths.has(path));
      if (isDrawn) for (const path of renaming.paths) paths.add(path);
      return isDrawn;
    };
    const due = new Set(this.#pending.toReversed().filter(isDue));
    for (const renaming of this.#pending) if (due.has(renaming)) renaming.apply(this.#safeNames);
    this.#pending = this.#pending.filter((renaming) => !due.has(renaming));
  }

  /** The power goes: of what was not synced some is there afterwards. Nobody has a file open any more. */
  cut(): void {
    const names = this.#safeNames;
    const lost = new Set<string>();
    for (const { paths, apply } of this.#pending) {
      const isKept = !paths.some((path) => lost.has(path)) && this.#random.chance(0.5);
      if (isKept) apply(names);
      else for (const path of paths) lost.add(path);
    }
    for (const file of new Set(names.values())) this.#lose(file);
    this.#pending = [];
    this.names = new Map(names);
  }

  #lose(file: File): void {
    const kept = file.pending.filter(() => this.#random.chance(0.5));
    for (const change of kept) file.safe = changed(file.safe, change);
    file.pending = [];
    file.content = file.safe;
  }

  /** The file's bytes, where a power cut would leave it as it is. */
  safeBytes(path: string): Uint8Array | undefined {
    const file = this.names.get(path);
    const isSafe = file && this.#safeNames.get(path) === file && file.pending.length === 0;
    return isSafe ? file.safe : undefined;
  }

  #change(paths: readonly string[], apply: (names: Map<string, File>) => void): void {
    apply(this.names);
    this.#pending.push({ paths, apply });
  }
}

const directoryOf = (path: string) => path.slice(0, path.lastIndexOf('/'));

function changed(bytes: Uint8Array, change: Change): Uint8Array {
  if ('length' in change) {
    const after = Buffer.alloc(change.length);
    after.set(bytes.subarray(0, change.length));
    return after;
  }
  const after = Buffer.alloc(Math.max(bytes.length, change.at + change.bytes.length));
  after.set(bytes);
  after.set(change.bytes, change.at);
  return after;
}
