import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inheritedEnvironment, run } from '../command.ts';
import { NAME } from '../named-registry.ts';
import type { Visit } from './visit.ts';

/** From an empty Go cache, some of Kubernetes is compiled. */
const BUILD_TIMEOUT_SECONDS = 600;

const SOURCES = join(import.meta.dirname, '../kubelet');
const IMAGE = `${NAME}/team-a/app:1.0.0`;

/** What `kubectl create secret docker-registry --output=json` prints. */
interface Secret {
  readonly data: Readonly<Record<'.dockerconfigjson', string>>;
}

/** What kubelet hands to the container runtime. */
interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
}

/** Has kubelet's own package read the pull secret, and containerd pull with what it finds there. */
export async function pullAsKubelet(visit: Visit): Promise<void> {
  const program = join(visit.directory, 'kubelet-reads');
  const env = inheritedEnvironment();
  await run('go', ['build', '-o', program, '.'], {
    cwd: SOURCES,
    env,
    timeoutSeconds: BUILD_TIMEOUT_SECONDS,
  });
  const secret = JSON.parse(await visit.run('cat', ['secret.json'])) as Secret;
  const file = join(visit.directory, 'pull-secret.json');
  await writeFile(file, Buffer.from(secret.data['.dockerconfigjson'], 'base64'));
  const [first = ''] = (await visit.run(program, [file, IMAGE])).split('\n');
  if (first === '') throw new Error(`kubelet finds no login for ${IMAGE} in the pull secret`);
  const { username, password } = JSON.parse(first) as AuthConfig;
  await visit.run('ctr', ['content', 'fetch', '--user', `${username}:${password}`, IMAGE]);
}
