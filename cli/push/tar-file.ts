import { type FileHandle, open } from 'node:fs/promises';
import { posix } from 'node:path';
import { Failure } from '../failure.ts';
import { type Content, type Files, normalize, slice } from './files.ts';
import { BLOCK, type Header, parseExtension, parseHeader } from './tar-header.ts';

type Entry =
  | { readonly is: 'content'; readonly content: Content }
  | { readonly is: 'link'; readonly target: string };

/** Longer chains of links are loops. */
const MOST_LINKS = 10;

/** More than any name or attribute takes. */
const MAX_EXTENSION_BYTES = 1024 * 1024;

/** A tar archive, of which only the headers are read until somebody wants the content of a file. */
export class TarFile implements Files {
  readonly #entries: ReadonlyMap<string, Entry>;

  private constructor(entries: ReadonlyMap<string, Entry>) {
    this.#entries = entries;
  }

  static async open(path: string): Promise<TarFile> {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      return new TarFile(await readEntries(path, file, size));
    } finally {
      await file.close();
    }
  }

  async find(path: string): Promise<Content | undefined> {
    let name = normalize(path);
    for (let links = 0; links <= MOST_LINKS && name !== undefined; links += 1) {
      const entry = this.#entries.get(name);
      if (entry?.is !== 'link') return entry?.content;
      name = normalize(entry.target);
    }
    return undefined;
  }
}

/** What long names and extensions say of the entry that comes next. */
interface Ahead {
  readonly name?: string;
  readonly link?: string;
  readonly size?: number;
}

/** A header, and where what it heads begins. */
interface Placed {
  readonly header: Header;
  readonly start: number;
}

async function readEntries(path: string, file: FileHandle, fileSize: number): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const { header, start } of headersOf(file, fileSize)) {
    const entry = entryOf(header, slice(path, start, header.size));
    const name = normalize(header.name);
    if (entry && name !== undefined) entries.set(name, entry);
  }
  return entries;
}

/** The headers of entries, with what was told ahead of them. */
async function* headersOf(file: FileHandle, fileSize: number): AsyncGenerator<Placed> {
  let ahead: Ahead = {};
  for (let at = 0; at < fileSize; ) {
    const block = parseHeader(await bytesAt(file, at, BLOCK));
    if (!block) return;
    const start = at + BLOCK;
    const header = isAhead(block) ? block : { ...block, ...ahead };
    if (start + header.size > fileSize) throw endsEarly();
    if (header === block) ahead = { ...ahead, ...(await readAhead(file, start, block)) };
    else {
      yield { header, start };
      ahead = {};
    }
    at = start + Math.ceil(header.size / BLOCK) * BLOCK;
  }
}

const isAhead = ({ kind }: Header) => kind === 'long name' || kind === 'long link' || kind === 'extension';

async function readAhead(file: FileHandle, start: number, { kind, size }: Header): Promise<Ahead> {
  if (size > MAX_EXTENSION_BYTES) throw new Failure('it has a header that is too long for a tar archive');
  const bytes = await bytesAt(file, start, size);
  if (kind === 'extension') {
    const records = parseExtension(bytes);
    const [name, link, length] = [records.get('path'), records.get('linkpath'), records.get('size')];
    return {
      ...(name !== undefined && { name }),
      ...(link !== undefined && { link }),
      ...(length !== undefined && /^\d{1,15}$/.test(length) && { size: Number(length) }),
    };
  }
  const text = bytes.toString('utf8').replace(/\0.*$/s, '');
  return kind === 'long name' ? { name: text } : { link: text };
}

function entryOf({ kind, name, link }: Header, content: Content): Entry | undefined {
  switch (kind) {
    case 'file':
      return { is: 'content', content };
    case 'hard link':
      return { is: 'link', target: link };
    case 'symbolic link':
      return { is: 'link', target: posix.join(posix.dirname(name), link) };
    default:
      return undefined;
  }
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) throw endsEarly();
    filled += bytesRead;
  }
  return buffer;
}

const endsEarly = () => new Failure('it is no tar archive, or it ends before it should');
