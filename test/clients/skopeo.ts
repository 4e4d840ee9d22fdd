import type { Client, Desk, Session } from './client.ts';
import { runIsolated } from './containers-storage.ts';
import { TAG } from './layout.ts';
import { layoutSession } from './layout-client.ts';

export const skopeo: Client = { name: 'skopeo', sends: 'PATCH', programs: ['skopeo'], open };

async function open(desk: Desk): Promise<Session> {
  const { host } = desk.registry;
  const run = (args: readonly string[], input?: string) => runIsolated(desk, 'skopeo', args, input);
  const copy = (...args: string[]) => run(['copy', '--quiet', '--all', ...args]);
  return layoutSession(desk, {
    version: (await desk.run('skopeo', ['--version'])).trim(),
    login: ({ username, password }) =>
      run(['login', '--tls-verify=false', '--username', username, '--password-stdin', host], password),
    logout: () => run(['logout', host]),
    push: (directory, reference) =>
      copy('--dest-tls-verify=false', `oci:${directory}:${TAG}`, `docker://${reference}`),
    pull: (reference, directory) =>
      copy('--src-tls-verify=false', `docker://${reference}`, `oci:${directory}:${TAG}`),
  });
}
