import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Results, readResults } from './results.ts';

const MODULE = 'github.com/opencontainers/distribution-spec/conformance';

/** The nested module has no tags. The commit that the wire table was written from, 967efdc, cannot be had as a
 *  module everywhere; this later one can, and differs only in asking for uncompressed answers. */
const MODULE_VERSION = 'v0.0.0-20260831232431-97274622c111';

/** The whole program takes seconds against a registry on the same machine, and minutes against a far one. */
const PROGRAM_TIMEOUT_SECONDS = 1800;

/** How the program is started, and what a reader would type to have the same. */
export interface Program {
  readonly command: readonly [string, ...string[]];
  readonly name: string;
}

/** A built binary where STOWAGE_CONFORMANCE_BIN names one, else Go; `undefined` where there is neither. */
export async function findProgram(): Promise<Program | undefined> {
  const binary = process.env['STOWAGE_CONFORMANCE_BIN'];
  if (binary) return { command: [binary], name: binary };
  const module = `${MODULE}@${process.env['STOWAGE_CONFORMANCE_VERSION'] || MODULE_VERSION}`;
  const hasGo = await exitCode('go', ['version']).catch(() => undefined);
  return hasGo === 0 ? { command: ['go', 'run', module], name: module } : undefined;
}

interface Run {
  readonly program: Program;
  readonly url: URL;
  readonly version: string;
  /** Where the results are left; created, and also the working directory. */
  readonly directory: string;
}

/** Runs every check of one version. Only a program that leaves no results throws; failures are results. */
export async function runProgram({ program, url, version, directory }: Run): Promise<Results> {
  await mkdir(directory, { recursive: true });
  const run = `${Date.now().toString(36)}-${version.replace('.', '-')}`;
  const env = {
    ...process.env,
    OCI_REGISTRY: url.host,
    OCI_TLS: url.protocol === 'https:' ? (process.env['OCI_TLS'] ?? 'enabled') : 'disabled',
    OCI_REPO1: `conformance/${run}/one`,
    OCI_REPO2: `conformance/${run}/two`,
    OCI_USERNAME: process.env['STOWAGE_USERNAME'] ?? '',
    OCI_PASSWORD: process.env['STOWAGE_PASSWORD'] ?? '',
    OCI_VERSION: version,
    OCI_RESULTS_DIR: directory,
  };
  const [file, ...args] = program.command;
  const code = await exitCode(file, args, { env, directory });
  try {
    return await readResults(version, directory);
  } catch (cause) {
    const output = join(directory, 'output.txt');
    throw new Error(`${program.name} exited with ${code} and left no results; see ${output}`, { cause });
  }
}

interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly directory: string;
}

/** Output goes to `output.txt` in the directory, or nowhere. Rejects where the file cannot be run. */
async function exitCode(file: string, args: readonly string[], at?: Surroundings): Promise<number | null> {
  const child = spawn(file, args, {
    stdio: ['ignore', at ? 'pipe' : 'ignore', 'pipe'],
    ...(at && { env: at.env, cwd: at.directory, timeout: PROGRAM_TIMEOUT_SECONDS * 1000 }),
  });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  child.stderr?.resume();
  if (!at || !child.stdout) return await exited;
  const output = createWriteStream(join(at.directory, 'output.txt'));
  const [code] = await Promise.all([exited, pipeline(child.stdout, output)]);
  return code;
}
