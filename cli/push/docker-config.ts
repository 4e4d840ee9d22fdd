import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Credential } from '../log-in.ts';

interface Login {
  readonly auth?: string;
  readonly identitytoken?: string;
}

interface Config {
  readonly auths?: Readonly<Record<string, Login>>;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

/** What `docker login` or `podman login` has kept for a registry, themselves or in a helper's care. */
export async function dockerCredential(host: string): Promise<Credential | undefined> {
  for (const path of paths()) {
    const config = await readConfig(path);
    const credential = config && ((await ofHelper(config, host)) ?? ofFile(config, host));
    if (credential) return credential;
  }
  return undefined;
}

function paths(): readonly string[] {
  const { DOCKER_CONFIG, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR } = process.env;
  return [
    join(DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json'),
    ...(REGISTRY_AUTH_FILE ? [REGISTRY_AUTH_FILE] : []),
    ...(XDG_RUNTIME_DIR ? [join(XDG_RUNTIME_DIR, 'containers/auth.json')] : []),
  ];
}

/** A file that is not there or not as expected holds no login: it is not ours to complain about. */
async function readConfig(path: string): Promise<Config | undefined> {
  try {
    return (JSON.parse(await readFile(path, 'utf8')) ?? undefined) as Config | undefined;
  } catch {
    return undefined;
  }
}

function ofFile({ auths = {} }: Config, host: string): Credential | undefined {
  const login = Object.entries(auths).find(([key]) => hostIn(key) === host)?.[1];
  const [, username = '', password = ''] =
    /^([^:]+):(.*)$/s.exec(Buffer.from(login?.auth ?? '', 'base64').toString('utf8')) ?? [];
  return credentialOf(username, password, login?.identitytoken);
}

/** Old programs wrote `https://host/v1/`. */
const hostIn = (key: string) => key.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '');

function credentialOf(username: string, password: string, refreshToken = ''): Credential | undefined {
  if (refreshToken !== '') return { is: 'refresh token', refreshToken };
  return username === '' ? undefined : { is: 'password', username, password };
}

async function ofHelper({ credHelpers, credsStore }: Config, host: string): Promise<Credential | undefined> {
  const helper = credHelpers?.[host] ?? credsStore;
  if (!helper || !/^[\w.-]+$/.test(helper)) return undefined;
  try {
    const child = spawn(`docker-credential-${helper}`, ['get'], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.on('error', () => undefined); // it need not read
    child.stdin.end(host);
    const [answer] = await Promise.all([text(child.stdout), once(child, 'close')]);
    if (child.exitCode !== 0) return undefined;
    const { Username = '', Secret = '' } = JSON.parse(answer) as { Username?: string; Secret?: string };
    return Username === '<token>' ? credentialOf('', '', Secret) : credentialOf(Username, Secret);
  } catch {
    return undefined;
  }
}
