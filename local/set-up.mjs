// Installs the packages of package-lock.json where they are missing or others than it says, so that `npm start` and
// `npm test` need no other command before them. `--omit=dev` leaves out what only developers need, where they have not
// installed it before. Plain JavaScript for Node 20: the newer Node comes with the packages.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isTooOld, isWindows } from './own-node.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');

const isDevelopers = existsSync(join(modules, 'vitest'));
const options = process.argv.slice(2).filter((option) => option !== '--omit=dev' || !isDevelopers);

if (isWindows()) process.exit(1);
if (isOutdated(options.includes('--omit=dev'))) {
  process.stderr.write('stowage: installing packages, once\n');
  process.exitCode = install() ? 0 : 1;
}
if (!existsSync(join(modules, '.bin/node')) && isTooOld()) process.exitCode = 1;

/** By what the files say, not by their times, which a copy may have lost. */
function isOutdated(withoutDevelopers) {
  const wanted = packagesIn('package-lock.json');
  const installed = packagesIn('node_modules/.package-lock.json');
  return Object.entries(wanted).some(([path, { version, integrity, dev, optional }]) => {
    const found = installed[path];
    // What is optional may be for another machine.
    if (path === '' || (!found && (optional || (dev && withoutDevelopers)))) return false;
    return found?.version !== version || found?.integrity !== integrity;
  });
}

function packagesIn(name) {
  try {
    return JSON.parse(readFileSync(join(root, name), 'utf8')).packages ?? {};
  } catch {
    return {};
  }
}

/** npm deletes what is there before it looks for the new: it is kept, and comes back where that fails. */
function install() {
  const kept = `${modules}.before`;
  rmSync(kept, { recursive: true, force: true });
  const isKept = moves(modules, kept);
  const { status, error } = spawnSync('npm', ['ci', '--loglevel=error', ...options], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) {
    if (isKept) {
      rmSync(modules, { recursive: true, force: true });
      renameSync(kept, modules);
    }
    const why = error ? `npm cannot be run (${error.code ?? error.message})` : 'npm ci has failed';
    process.stderr.write(
      `stowage: ${why}; ${isKept ? 'the packages of before are kept' : 'there are no packages'}. Where no package registry can be reached, ` +
        'run "npm ci" on a machine like this one, and copy the folder with its node_modules here\n',
    );
  }
  rmSync(kept, { recursive: true, force: true });
  return status === 0;
}

/** Whether it was there and could be moved, which a file system of its own cannot. */
function moves(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch {
    return false;
  }
}
