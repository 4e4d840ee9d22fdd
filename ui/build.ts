import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { type BuildOptions, buildSync, type Metafile } from 'esbuild';
import type { PageManifest } from '../functions/ui/shell.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CACHE = join(ROOT, 'node_modules/.cache/stowage/ui');

/** All that the page is made of, and how. */
const SOURCES = [
  'ui/**/*.{ts,tsx,css,svg}',
  'functions/oci/*.ts',
  'functions/ui/shell.ts',
  'package-lock.json',
];

const OPTIONS = {
  absWorkingDir: ROOT,
  entryPoints: { page: 'ui/src/main.tsx', icon: 'ui/src/look/icon.svg' },
  outdir: 'out',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2023',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  minify: true,
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  loader: { '.svg': 'copy' },
  legalComments: 'none',
  logLevel: 'silent',
  write: false,
  metafile: true,
} as const satisfies BuildOptions;

export interface BuiltPage extends PageManifest {
  /** Bytes as they are sent, by brotli: what the first page needs, and each piece that is loaded later. */
  readonly first: number;
  readonly lazy: Readonly<Record<string, number>>;
}

/** The folder of the built page, which is built where these sources never were; throws where they cannot be. */
export function builtPage(cache = CACHE): string {
  const folder = join(cache, hashOfSources());
  if (existsSync(folder)) return folder;
  const work = `${folder}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    build(work);
    renameSync(work, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error; // another process was faster
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

function hashOfSources(): string {
  const hash = createHash('sha256');
  for (const path of globSync(SOURCES, { cwd: ROOT }).sort())
    hash.update(path).update(readFileSync(join(ROOT, path)));
  return hash.digest('hex').slice(0, 16);
}

function build(folder: string): void {
  const { outputFiles, metafile } = buildSync(OPTIONS);
  const sent = new Map<string, number>();
  for (const { path, contents } of outputFiles) {
    const name = basename(path);
    const compressed = brotliCompressSync(contents);
    writeFileSync(join(folder, name), contents);
    writeFileSync(join(folder, `${name}.br`), compressed);
    sent.set(name, compressed.length);
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifestOf(metafile, sent), null, 1));
}

function manifestOf({ outputs }: Metafile, sent: ReadonlyMap<string, number>): BuiltPage {
  const [entry, made] =
    Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === OPTIONS.entryPoints.page) ?? [];
  const icon = Object.keys(outputs).find((path) => path.endsWith('.svg'));
  if (!entry || !made?.cssBundle || !icon) throw new Error('the page has no script, style or icon');
  const first = new Set([entry, made.cssBundle]);
  for (const path of first)
    for (const { path: next, kind } of outputs[path]?.imports ?? [])
      if (kind === 'import-statement') first.add(next);
  const bytesOf = (path: string) => sent.get(basename(path)) ?? 0;
  const lazy = Object.keys(outputs).filter((path) => path.endsWith('.js') && !first.has(path));
  return {
    script: basename(entry),
    style: basename(made.cssBundle),
    icon: basename(icon),
    first: [...first].reduce((sum, path) => sum + bytesOf(path), 0),
    lazy: Object.fromEntries(lazy.map((path) => [basename(path), bytesOf(path)])),
  };
}
