// Plain JavaScript for Node 20, which may be what reads it.

/** Says on standard error what to do where this process is too old to run the registry; answers whether it is. */
export function isTooOld() {
  if (Number.parseInt(process.versions.node, 10) >= 24) return false;
  process.stderr.write(
    'stowage: this is Node ' +
      `${process.versions.node}, and the registry needs 24. Its packages bring one for Linux on x64 and arm64, ` +
      `node_modules/.bin/node, which is not there for ${process.platform} on ${process.arch}: install the packages again ` +
      '(npm ci), or install Node 24 here, and start it with that\n',
  );
  return true;
}

/** Says so where this is Windows; answers whether it is. */
export function isWindows() {
  if (process.platform !== 'win32') return false;
  process.stderr.write(
    'stowage: the registry runs on Linux and macOS. On Windows, run it in WSL: "wsl --install", then this command in its shell, with the checkout in ' +
      'its own file system. Docker Desktop pushes to it, as docs/install.md says\n',
  );
  return true;
}
