#!/usr/bin/env node
// Starts the command line with the Node it is written for, which comes with the packages; installs those first where
// they are missing. Plain JavaScript for Node 20.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const own = join(root, 'node_modules/.bin/node');
/** Compiled sources: a command starts in a third of the time. */
const cache = join(root, 'node_modules/.cache/stowage');

const { status } = spawnSync(process.execPath, [join(root, 'local/set-up.mjs'), '--omit=dev'], {
  stdio: ['ignore', 2, 2],
});
if (status !== 0) process.exit(1);

// On a platform that none comes for, set-up has seen that this one will do.
if (!existsSync(own) || realpathSync(process.execPath) === realpathSync(own)) {
  module.enableCompileCache(cache);
  await import('./main.ts');
} else runWith(own);

function runWith(command) {
  const child = spawn(command, [join(root, 'cli/main.ts'), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // A terminal sends what is typed to the child as well; twice would mean "at once" to a registry.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`stowage: cannot start ${command}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}
