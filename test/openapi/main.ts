import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { passwordIn } from '../cli/program.ts';
import { RegistryProcess } from '../registry-process.ts';

/** A program of others that reads an OpenAPI document, and sends what it allows and what it does not. */
const PACKAGE = 'schemathesis==4.32.0';
const VENV = join(import.meta.dirname, '../../node_modules/.cache', PACKAGE.replaceAll('=', '-'));
const PROGRAM = join(VENV, 'bin/schemathesis');

const SECONDS = 60;

/** All of its checks but one: that a date lies in the future, or that an issuer's URL is one, a schema cannot say. */
const CHECKS = ['--exclude-checks', 'positive_data_acceptance'];

/** Looks whether the API answers as its document says: no 5xx, nothing that is not documented, 405 where a method is not. */
process.exitCode = await main();

async function main(): Promise<number> {
  install();
  const folder = await mkdtemp(join(tmpdir(), 'stowage-openapi-'));
  const registry = await RegistryProcess.start(join(folder, 'data'), {});
  try {
    const token = await tokenOf(registry);
    const runIn = (options: readonly string[]) => run('schemathesis', PROGRAM, options, folder);
    return runIn([
      'run',
      `${registry.url}/api/v1/openapi.json`,
      ...['--url', registry.url, '--header', `Authorization: Bearer ${token}`],
      ...['--phases', 'coverage,fuzzing', '--max-examples', '15', '--max-time', `${SECONDS}`],
      // Two workers meet in a fault of Python 3.11: "AST constructor recursion depth mismatch".
      ...['--workers', '1', '--no-color', '--seed', `${Number(process.env['OPENAPI_SEED'] ?? 1)}`],
      ...CHECKS,
    ]);
  } finally {
    await registry.stop('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  }
}

/** Into an environment of its own, once; fails where there is no Python, or none that can install packages. */
function install(): void {
  if (existsSync(PROGRAM)) return;
  const steps = [
    ['python3', '-m', 'venv', '--clear', VENV],
    [join(VENV, 'bin/python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PACKAGE],
  ] as const;
  for (const [program, ...rest] of steps) {
    if (run('Python with pip and venv', program, rest) !== 0) throw new Error(`cannot install ${PACKAGE}`);
  }
}

/** In a folder of its own: what it leaves behind goes with that. */
function run(what: string, program: string, options: readonly string[], cwd?: string): number {
  const { status, error } = spawnSync(program, options, { stdio: 'inherit', cwd });
  if (error) throw new Error(`${what} is missing: ${error.message}`);
  return status ?? 1;
}

async function tokenOf({ url, banner }: RegistryProcess): Promise<string> {
  const Authorization = `Basic ${Buffer.from(`admin:${passwordIn(banner)}`).toString('base64')}`;
  const answer = await fetch(`${url}/token?scope=registry:api:*`, { headers: { Authorization } });
  return ((await answer.json()) as { token: string }).token;
}
