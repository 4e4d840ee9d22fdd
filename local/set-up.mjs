// Installs the packages of package-lock.json where they are missing or older than it, so that `npm start` and
// `npm test` need no other command before them. `--omit=dev` leaves out what only developers need, where they have not
// installed it before. Plain JavaScript for Node 20: the newer Node comes with the packages.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const modifiedAt = (path) => statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;

const outdated = modifiedAt('node_modules/.package-lock.json') < modifiedAt('package-lock.json');
const isDevelopers = existsSync(join(root, 'node_modules/vitest'));
const options = process.argv.slice(2).filter((option) => option !== '--omit=dev' || !isDevelopers);
const incomplete = !options.includes('--omit=dev') && !isDevelopers;

if (outdated || incomplete) {
  process.stderr.write('stowage: installing packages, once\n');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, ['ci', '--loglevel=error', ...options], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  process.exitCode = status ?? 1;
}

// package-lock.json has the hash of each platform's Node. Where there is none for this one, its own Node has to do.
if (!existsSync(join(root, 'node_modules/.bin/node')) && Number.parseInt(process.versions.node, 10) < 24) {
  process.stderr.write(
    `stowage: it comes with a Node of its own for Linux on x64 and arm64, and not for ${process.platform} on ` +
      `${process.arch}: install Node 24 here, and start it with that\n`,
  );
  process.exitCode ||= 1;
}
