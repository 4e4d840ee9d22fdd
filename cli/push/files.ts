import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, posix } from 'node:path';

/** Bytes on this machine, which can be read as often as it takes. */
export interface Content {
  readonly size: number;
  read(): AsyncIterable<Buffer>;
  part(start: number, size: number): Content;
}

/** The files of an image, by paths with slashes. */
export interface Files {
  find(path: string): Promise<Content | undefined>;
}

const CHUNK_BYTES = 256 * 1024;

/** A part of a file; all of it is read through a buffer, however large it is. */
export function slice(path: string, start: number, size: number): Content {
  return {
    size,
    part: (from, count) => slice(path, start + from, count),
    async *read() {
      // The end is inclusive: there is no way to ask for nothing.
      if (size === 0) return;
      yield* createReadStream(path, { start, end: start + size - 1, highWaterMark: CHUNK_BYTES });
    },
  };
}

/** `./a//b` and `/a/b` are `a/b`; `undefined` for what leads out of the folder. */
export function normalize(path: string): string | undefined {
  const clean = posix.normalize(path).replace(/^\/+/, '');
  return clean === '..' || clean.startsWith('../') ? undefined : clean;
}

/** A folder and what is below it. */
export class Folder implements Files {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async find(path: string): Promise<Content | undefined> {
    const clean = normalize(path);
    if (clean === undefined) return undefined;
    const file = join(this.#root, clean);
    const found = await stat(file).catch(() => undefined);
    return found?.isFile() ? slice(file, 0, found.size) : undefined;
  }
}

/** All of a small file. */
export async function bytesOf(content: Content): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content.read()) chunks.push(chunk);
  return Buffer.concat(chunks);
}
