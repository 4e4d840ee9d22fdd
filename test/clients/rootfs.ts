import { copyFile, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findProgram, inheritedEnvironment, run, searchPath } from './command.ts';

const SUITE = 'bookworm';
const DEBOOTSTRAP_TIMEOUT_SECONDS = 600;

/** Left out of the layer: what is only downloads, and device nodes, which not every client may create. */
const EXCLUDED = ['./dev/*', './var/cache/apt/*', './var/lib/apt/lists/*', './var/log/*'];

/** A gzipped tar of a minimal Debian, made by `debootstrap` the first time and then kept in `cache`. */
export async function debianRoot(cache: string): Promise<string> {
  const file = join(cache, `debian-${SUITE}-${process.arch}.tar.gz`);
  const cached = await stat(file).then(
    () => true,
    () => false,
  );
  if (cached) return file;

  await mkdir(cache, { recursive: true });
  const root = join(cache, `debootstrap-${process.pid}`);
  const unfinished = `${file}.${process.pid}`;
  try {
    const env = { ...inheritedEnvironment(), PATH: searchPath() };
    const args = ['--variant=minbase', SUITE, root, await aptMirror()];
    await run('debootstrap', args, { env, timeoutSeconds: DEBOOTSTRAP_TIMEOUT_SECONDS });
    await packTree(root, unfinished, EXCLUDED);
    await rename(unfinished, file);
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(unfinished, { force: true });
  }
  return file;
}

/** Copies programs of this machine to `bin/` below `root`, and the libraries they need to where they are looked for. */
export async function copyPrograms(names: readonly string[], root: string): Promise<void> {
  for (const name of names) {
    const file = await findProgram(name, searchPath());
    if (file === undefined) throw new Error(`${name} is not installed`);
    const linked = await run('ldd', [file]).catch(() => ''); // it fails for a static one
    const libraries = [...linked.matchAll(/(\/\S+) \(0x/g)].flatMap((match) => match[1] ?? []);
    await copyInto(file, join(root, 'bin', name));
    for (const library of libraries) await copyInto(library, join(root, library));
  }
}

async function copyInto(file: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await copyFile(file, target);
}

/** Packs a directory as a layer: files in order, owned by root. */
export async function packTree(root: string, file: string, exclude: readonly string[] = []): Promise<void> {
  await run('tar', [
    ...exclude.map((pattern) => `--exclude=${pattern}`),
    '--sort=name',
    '--numeric-owner',
    '--use-compress-program=gzip -1 -n',
    '--create',
    `--file=${file}`,
    `--directory=${root}`,
    '.',
  ]);
}

/** Where this machine's own apt gets Debian from, unless STOWAGE_TEST_MIRROR says otherwise. */
/** Where this machine gets its own packages. */
export async function aptMirror(): Promise<string> {
  const chosen = process.env['STOWAGE_TEST_MIRROR'];
  if (chosen !== undefined && chosen !== '') return chosen;
  const directory = '/etc/apt/sources.list.d';
  const names = await readdir(directory).catch(() => []);
  const files = ['/etc/apt/sources.list', ...names.map((name) => join(directory, name))];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  const mirrors = texts.flatMap((text) => [...oneLineSources(text), ...stanzaSources(text)]);
  const mirror = mirrors.find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined) throw new Error('apt has no Debian mirror here; set STOWAGE_TEST_MIRROR');
  return mirror;
}

/** `deb [options] uri suite component…` */
function oneLineSources(text: string): string[] {
  return [...text.matchAll(/^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+\S+/gm)].flatMap((match) => match[1] ?? []);
}

/** The `URIs:` of deb822 files. */
function stanzaSources(text: string): string[] {
  return [...text.matchAll(/^URIs:(.*)$/gm)].flatMap((match) => (match[1] ?? '').trim().split(/\s+/));
}
