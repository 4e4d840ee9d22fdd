import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for what is only needed while the program runs; made when something is first put there. */
export class Scratch {
  readonly #files = new Set<string>();
  #folder: Promise<string> | undefined;

  /** Where a file can go that has a name of its own. */
  async file(): Promise<string> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'stowage-push-'));
    const path = join(await this.#folder, randomUUID());
    this.#files.add(path);
    return path;
  }

  /** Whether a file is one of these, and may go. */
  owns(path: string): boolean {
    return this.#files.has(path);
  }

  async remove(): Promise<void> {
    if (this.#folder !== undefined) await rm(await this.#folder, { recursive: true, force: true });
  }
}
