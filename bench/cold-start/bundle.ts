import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { FUNCTION_BUNDLING } from '../../lib/bundle.ts';

/** An entry with all that it imports, now or later. */
export interface Bundle {
  /** Absolute path of the file that exports `handler`. */
  readonly path: string;
  readonly bytes: number;
  /** As in a zip, which adds some hundred bytes to it. */
  readonly deflatedBytes: number;
  /** Of the files that Node reads before `handler` can be called. */
  readonly bytesAtStart: number;
  /** Largest first. */
  readonly packages: readonly Share[];
}

/** Bytes of the bundle that come from one package of node_modules, or from a folder of ours. */
interface Share {
  readonly name: string;
  readonly bytes: number;
}

/** Bundles `entry` into `directory` as the stack bundles the functions, but for the source map, which is not loaded. */
export async function bundle(entry: string, root: string, directory: string): Promise<Bundle> {
  const { metafile } = await build({
    ...FUNCTION_BUNDLING,
    sourcemap: false,
    absWorkingDir: root,
    entryPoints: { index: entry },
    outdir: join(directory, entry.replaceAll(/[^a-z0-9]+/g, '-')),
    metafile: true,
  });
  const files = Object.keys(metafile.outputs);
  const index = files.find((file) => file.endsWith('/index.mjs')) ?? '';
  const code = await Promise.all(files.map((file) => readFile(join(root, file))));
  return {
    path: join(root, index),
    bytes: sum(code.map(({ length }) => length)),
    deflatedBytes: sum(code.map((bytes) => deflateRawSync(bytes, { level: 9 }).length)),
    bytesAtStart: sum(
      [...loadedAtStart(metafile.outputs, index)].map((file) => metafile.outputs[file]?.bytes ?? 0),
    ),
    packages: sharesOf(metafile),
  };
}

/** The file and those it imports, however indirectly, without the imports that wait until they are reached. */
function loadedAtStart(
  outputs: Metafile['outputs'],
  file: string,
  loaded = new Set<string>(),
): ReadonlySet<string> {
  if (!(file in outputs) || loaded.has(file)) return loaded;
  loaded.add(file);
  for (const { path, kind } of outputs[file]?.imports ?? []) {
    if (kind !== 'dynamic-import') loadedAtStart(outputs, path, loaded);
  }
  return loaded;
}

function sharesOf({ outputs }: Metafile): readonly Share[] {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const shares = new Map<string, number>();
  for (const [file, { bytesInOutput }] of inputs) {
    const name = packageOf(file);
    shares.set(name, (shares.get(name) ?? 0) + bytesInOutput);
  }
  return [...shares].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
}

function packageOf(file: string): string {
  const installed = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1];
  return installed ?? `${file.split('/')[0]}/`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
