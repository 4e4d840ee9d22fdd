import { chmod, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inheritedEnvironment, run, searchPath } from './command.ts';
import { aptMirror } from './rootfs.ts';

// Debian's unstable release has the clients of today beside the older ones that this machine installs. It lies in a
// directory of its own; each of its programs runs there by a chroot, with this machine's network and the run's files.

const SUITE = 'sid';
const INSTALL_TIMEOUT_SECONDS = 900;

const PACKAGES = [
  ...[
    'docker.io',
    'docker-cli',
    'docker-buildx',
    'containerd',
    'runc',
    'podman',
    'skopeo',
    'buildah',
    'crane',
    'oras',
  ],
  ...['cosign', 'notation', 'ca-certificates', 'xz-utils'],
];

const PROGRAMS = [
  ...['dockerd', 'docker', 'containerd', 'ctr', 'podman', 'skopeo', 'buildah', 'crane', 'oras'],
  ...['cosign', 'notation'],
];

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface ModernOptions {
  /** Keeps the root. */
  readonly cache: string;
  /** Of this run; the programs see it under the same path. */
  readonly directory: string;
}

/** Makes today's clients, the first time, and answers a directory of programs to put on the PATH before this
 *  machine's own. Needs to be root. */
export async function modernClients({ cache, directory }: ModernOptions): Promise<string> {
  const root = join(cache, `${SUITE}-${process.arch}`);
  const isThere = await stat(root).then(
    () => true,
    () => false,
  );
  if (!isThere) await makeRoot(cache, root);
  const programs = join(directory, 'modern');
  await mkdir(programs, { recursive: true });
  for (const program of PROGRAMS) {
    const file = join(programs, program);
    await writeFile(file, wrapper({ root, directory, program }));
    await chmod(file, 0o755);
  }
  return programs;
}

async function makeRoot(cache: string, root: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const unfinished = `${root}.${process.pid}`;
  const options = { env: environment(), timeoutSeconds: INSTALL_TIMEOUT_SECONDS };
  try {
    await run('debootstrap', ['--variant=minbase', SUITE, unfinished, await aptMirror()], options);
    // Nothing that is installed there may start a daemon of its own.
    await writeFile(join(unfinished, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    const install = ['apt-get', 'install', '--yes', '--quiet', '--no-install-recommends', ...PACKAGES];
    await run('chroot', [unfinished, ...install], options);
    await run('chroot', [unfinished, 'apt-get', 'clean'], options);
    await rename(unfinished, root);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Replaces itself with the program step by step, so that it keeps its process id. The mounts end with it. */
function wrapper({ root, directory, program }: { root: string; directory: string; program: string }): string {
  return `#!/bin/sh
exec unshare --mount --propagation private sh -c '
  set -e
  mount --bind "${root}" "${root}" # dockerd wants its root to be a mount
  for each in proc sys dev; do mount --rbind "/$each" "${root}/$each"; done
  mount --bind /etc/hosts "${root}/etc/hosts"
  mkdir -p "${root}${directory}" "${root}/var/lib/containers/cache"
  mount --bind "${directory}" "${root}${directory}"
  mount --bind "$XDG_CACHE_HOME" "${root}/var/lib/containers/cache"
  exec chroot "${root}" env PATH=${PATH} sh -c "cd \\"\\$0\\" 2>/dev/null; exec \\"\\$@\\"" "$@"
' sh "$PWD" ${program} "$@"
`;
}

function environment(): Record<string, string> {
  return {
    ...inheritedEnvironment(),
    PATH: searchPath(),
    LANG: 'C.UTF-8',
    DEBIAN_FRONTEND: 'noninteractive',
  };
}
