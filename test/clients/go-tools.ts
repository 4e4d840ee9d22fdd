import { mkdir } from 'node:fs/promises';
import type { Client } from './client.ts';
import { findProgram, inheritedEnvironment, run } from './command.ts';

/** From an empty Go cache: hundreds of packages to download and compile. */
const INSTALL_TIMEOUT_SECONDS = 600;

/** Why a client cannot run here, or undefined. Where there is Go, what Go can make is made, in `directory`. */
export async function whyAbsent(
  client: Client,
  path: string,
  directory: string,
): Promise<string | undefined> {
  const missing: string[] = [];
  for (const program of client.programs) {
    if ((await findProgram(program, path)) === undefined) missing.push(program);
  }
  if (missing.length === 0) return undefined;
  const reason = `${missing.join(' and ')} is not installed`;
  if (client.goModule === undefined) return reason;
  if ((await findProgram('go', path)) === undefined) return `${reason}, and there is no Go to make it with`;
  return await goInstall(client.goModule, directory).then(
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
