import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Failure } from '../failure.ts';
import { printable } from '../text.ts';
import { type Files, Folder } from './files.ts';
import type { Scratch } from './scratch.ts';
import { TarFile } from './tar-file.ts';

const PROGRAMS = ['docker', 'podman'] as const;
export const KINDS = [...PROGRAMS, 'path'] as const;
type Program = (typeof PROGRAMS)[number];
type Kind = (typeof KINDS)[number];

/** Where an image comes from, as the command line says it. */
export type Place =
  | { readonly is: 'store'; readonly program: Program; readonly image: string }
  | { readonly is: 'path'; readonly path: string }
  | { readonly is: 'standard input' };

export interface Reading {
  readonly scratch: Scratch;
  readonly signal: AbortSignal;
  /** Told how many bytes more have been read of what must be read before anything is sent. */
  readonly onBytes: (count: number) => void;
}

/** What SOURCE means: `-`, a file, an image layout, or else an image in docker's store. */
export async function placeOf(source: string, from: Kind | undefined): Promise<Place> {
  if (from === 'docker' || from === 'podman') return { is: 'store', program: from, image: source };
  if (source === '-' && from === undefined) return { is: 'standard input' };
  const found = await stat(source).catch(() => undefined);
  const isImage = from === undefined && !/^[./~]|\/$|\.(?:tar|tgz|gz|zst)$/.test(source);
  // A folder that happens to be called like the image is none of an image.
  if (found && (!isImage || !found.isDirectory() || (await isLayout(source))))
    return { is: 'path', path: source };
  if (!isImage) throw new Failure(`there is no file or folder ${printable(source)}`);
  return { is: 'store', program: 'docker', image: source };
}

const isLayout = (path: string) =>
  stat(join(path, 'index.json')).then(
    () => true,
    () => false,
  );

/** The files of an image, wherever it comes from. What comes as a stream is kept in a file meanwhile. */
export async function openPlace(place: Place, reading: Reading): Promise<Files> {
  switch (place.is) {
    case 'store':
      return openArchive(await save(place, reading), reading);
    case 'standard input':
      return openArchive(await spool(process.stdin, reading), reading);
    case 'path':
      return openPath(place.path, reading);
  }
}

async function openPath(path: string, reading: Reading): Promise<Files> {
  const found = await stat(path);
  if (found.isDirectory()) return new Folder(path);
  if (found.isFile()) return openArchive(path, reading);
  return openArchive(await spool(createReadStream(path), reading), reading);
}

/** Writes a stream to a file of its own. */
async function spool(stream: Readable, { scratch, signal, onBytes }: Reading): Promise<string> {
  const path = await scratch.file();
  stream.on('data', (chunk: Buffer) => onBytes(chunk.length));
  await pipeline(stream, createWriteStream(path), { signal });
  return path;
}

/** An archive as `docker save` writes it, which is asked to. */
async function save(
  { program, image }: { readonly program: Program; readonly image: string },
  reading: Reading,
): Promise<string> {
  const child = spawn(program, ['save', '--', image], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: reading.signal,
  });
  const ended = once(child, 'close');
  const complaint = text(child.stderr);
  try {
    const [path] = await Promise.all([spool(child.stdout, reading), ended]);
    if (child.exitCode === 0) return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Failure(
        `there is no file ${printable(image)}, and no program ${program} to ask for an image`,
      );
    }
    throw error;
  }
  const reason = (await complaint).trim().split('\n').at(-1) ?? '';
  throw new Failure(`${program} save ${printable(image)}: ${printable(reason) || 'it failed'}`);
}

/** What an archive begins with that is compressed, and what undoes that. */
const COMPRESSIONS = [
  { magic: '1f8b', unpack: () => createGunzip() },
  { magic: '28b52ffd', unpack: () => createZstdDecompress() },
] as const;

async function openArchive(path: string, reading: Reading): Promise<Files> {
  const start = await firstBytes(path);
  const compression = COMPRESSIONS.find(({ magic }) => start.startsWith(magic));
  if (!compression) return TarFile.open(path);
  const plain = await reading.scratch.file();
  const packed = createReadStream(path);
  packed.on('data', (chunk) => reading.onBytes(chunk.length));
  try {
    await pipeline(packed, compression.unpack(), createWriteStream(plain), { signal: reading.signal });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (/^(?:Z_|ZSTD_|ERR_ZLIB)/.test(code)) throw new Failure(`it is damaged: ${message}`);
    throw error;
  }
  if (reading.scratch.owns(path)) await rm(path);
  return TarFile.open(plain);
}

async function firstBytes(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString('hex', 0, bytesRead);
  } finally {
    await file.close();
  }
}
