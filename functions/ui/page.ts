import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ASSETS, isPage, type PageManifest, SHELL_HEADERS, shellOf } from './shell.ts';

/** The registry's web page: its shell and its assets, which lie in one folder beside the code. */
export interface Page {
  /** The answer where the request is one for the page; `undefined` for what is the registry's own. */
  answer(request: Request, path: string): Promise<Response | undefined>;
}

/** The content of a file of the page; `undefined` where there is none. */
type Read = (path: string) => Promise<Uint8Array<ArrayBuffer> | undefined>;

interface Asset {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly encoding?: string;
}

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

const NAME = /^[\w-]+\.(js|css|svg)$/;

/** Their names change with their content. */
const FOREVER = 'public, max-age=31536000, immutable';

/** What `ui/build.ts` names the list of what it has made. */
const MANIFEST = 'manifest.json';

/** The page in a folder that `ui/build.ts` has made; `undefined` where there is none. Assets are read where they are asked for. */
export function openPage(folder: string, read: Read = contentOf): Page | undefined {
  const manifest = manifestIn(folder);
  if (!manifest) return undefined;
  const shell = new TextEncoder().encode(shellOf(manifest));
  const find = (name: string) => read(join(folder, name));
  return {
    async answer(request, path) {
      if (isPage(request, path)) return answerTo(request, shell, SHELL_HEADERS);
      return path.startsWith(ASSETS) ? answerAsset(request, path.slice(ASSETS.length), find) : undefined;
    },
  };
}

async function answerAsset(request: Request, name: string, read: Read): Promise<Response | undefined> {
  const [, type] = NAME.exec(name) ?? [];
  if (type === undefined || !['GET', 'HEAD'].includes(request.method)) return undefined;
  const found = await findAsset(request, name, read);
  if (!found) return undefined;
  return answerTo(request, found.bytes, {
    'Content-Type': TYPES[type] ?? '',
    'Cache-Control': FOREVER,
    'Cross-Origin-Resource-Policy': 'same-origin',
    Vary: 'Accept-Encoding',
    ...(found.encoding && { 'Content-Encoding': found.encoding }),
  });
}

function answerTo(
  { method }: Request,
  bytes: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
): Response {
  const body = method === 'HEAD' ? null : bytes;
  return new Response(body, { headers: { ...headers, 'Content-Length': `${bytes.length}` } });
}

function manifestIn(folder: string): PageManifest | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as PageManifest;
  } catch {
    return undefined;
  }
}

/** Compressed when it was built, where the browser takes that. */
async function findAsset({ headers }: Request, name: string, read: Read): Promise<Asset | undefined> {
  const accepted = headers.get('accept-encoding') ?? '';
  if (/\bbr\b/.test(accepted)) {
    const bytes = await read(`${name}.br`);
    if (bytes) return { bytes, encoding: 'br' };
  }
  const bytes = await read(name);
  return bytes && { bytes };
}

async function contentOf(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await readFile(path));
  } catch {
    return undefined;
  }
}
