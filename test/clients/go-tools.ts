import { mkdir } from 'node:fs/promises';
import { findProgram, inheritedEnvironment, run } from './command.ts';

/** From an empty Go cache: hundreds of packages to download and compile. */
const INSTALL_TIMEOUT_SECONDS = 600;

/** What `go install` makes, by program. */
const MODULES: Readonly<Record<string, string>> = {
  crane: 'github.com/google/go-containerregistry/cmd/crane@v0.20.7',
  helm: 'helm.sh/helm/v3/cmd/helm@v3.21.4',
  oras: 'oras.land/oras/cmd/oras@v1.3.3',
  regctl: 'github.com/regclient/regclient/cmd/regctl@v0.11.5',
  regsync: 'github.com/regclient/regclient/cmd/regsync@v0.11.5',
};

/** Why these programs cannot run here, or undefined. Where there is Go, what Go can make is made, in `directory`. */
export async function whyAbsent(
  programs: readonly string[],
  path: string,
  directory: string,
): Promise<string | undefined> {
  const reasons: string[] = [];
  for (const program of programs) {
    if ((await findProgram(program, path)) !== undefined) continue;
    const reason = await whyNotMade(program, path, directory);
    if (reason !== undefined) reasons.push(reason);
  }
  return reasons.length === 0 ? undefined : reasons.join(', ');
}

async function whyNotMade(program: string, path: string, directory: string): Promise<string | undefined> {
  const [module, reason] = [MODULES[program], `${program} is not installed`];
  if (module === undefined) return reason;
  if ((await findProgram('go', path)) === undefined) return `${reason}, and there is no Go to make it with`;
  return await goInstall(module, directory).then(
    () => undefined,
    (error: Error) => `${reason}: ${error.message}`,
  );
}

/** Makes a Go module's program in `directory`. */
export async function goInstall(module: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const env = { ...inheritedEnvironment(), GOBIN: directory };
  await run('go', ['install', module], { env, timeoutSeconds: INSTALL_TIMEOUT_SECONDS });
}
