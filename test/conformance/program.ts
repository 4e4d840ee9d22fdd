import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, findProgram, inheritedEnvironment, run, searchPath } from '../clients/command.ts';
import { type Question, type Results, readResults } from './results.ts';

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
export async function findConformance(): Promise<Program | undefined> {
  const binary = process.env['STOWAGE_CONFORMANCE_BIN'];
  if (binary) return { command: [binary], name: binary };
  const module = `${MODULE}@${process.env['STOWAGE_CONFORMANCE_VERSION'] || MODULE_VERSION}`;
  const go = await findProgram('go', searchPath());
  return go === undefined ? undefined : { command: ['go', 'run', module], name: module };
}

interface Run extends Question {
  readonly program: Program;
  readonly url: URL;
  /** Who it logs in as; absent where it is to do without. */
  readonly credentials?: { readonly username: string; readonly password: string } | undefined;
  /** Where the results are left; emptied first, and also the working directory. */
  readonly directory: string;
}

/** Runs every check of one version. Only a program that leaves no results throws; failures are results. */
export async function runProgram({
  program,
  url,
  credentials,
  directory,
  ...question
}: Run): Promise<Results> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const { version } = question;
  const repositories = `conformance/${Date.now().toString(36)}-${version.replace('.', '-')}`;
  const env = {
    ...inheritedEnvironment(),
    OCI_REGISTRY: url.host,
    OCI_TLS: url.protocol === 'https:' ? (process.env['OCI_TLS'] ?? 'enabled') : 'disabled',
    OCI_REPO1: `${repositories}/one`,
    OCI_REPO2: `${repositories}/two`,
    OCI_USERNAME: credentials?.username ?? '',
    OCI_PASSWORD: credentials?.password ?? '',
    OCI_VERSION: version,
    OCI_RESULTS_DIR: directory,
  };
  const [file, ...args] = program.command;
  const options = { env, cwd: directory, timeoutSeconds: PROGRAM_TIMEOUT_SECONDS };
  const failure = await run(file, args, options).then(
    (stdout) => writeFile(join(directory, 'output.txt'), stdout),
    (error: unknown) => keepOutput(error, directory),
  );
  return await readResults(question, directory).catch((cause: unknown) => {
    throw new Error(`no results: ${failure ?? 'the program was content'}`, { cause });
  });
}

/** A program that finds failures exits with 1. */
async function keepOutput(error: unknown, directory: string): Promise<string> {
  if (!(error instanceof CommandError)) throw error;
  await writeFile(join(directory, 'output.txt'), error.stdout);
  return error.message;
}
