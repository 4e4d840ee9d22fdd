import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Failure } from './failure.ts';

/** What `stowage login` keeps of one registry. */
export interface SavedLogin {
  readonly url: string;
  readonly username: string;
  readonly refreshToken: string;
  /** The PEM file of a CA that is trusted there, an absolute path. */
  readonly ca?: string;
}

interface Saved {
  /** The registry that commands are about unless they say otherwise. */
  readonly current?: string;
  readonly logins: readonly SavedLogin[];
}

function path(): string {
  return join(process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'stowage/config.json');
}

export async function readLogins(): Promise<Saved> {
  const text = await readFile(path(), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{"logins":[]}';
    throw new Failure(`cannot read ${path()}: ${error.message}`);
  });
  try {
    const saved = JSON.parse(text) as Saved;
    if (Array.isArray(saved.logins)) return saved;
  } catch {
    // Reported like any other content that is not ours.
  }
  throw new Failure(`${path()} is damaged; remove it and log in again`);
}

export async function savedLogin(url: string): Promise<SavedLogin | undefined> {
  return (await readLogins()).logins.find((login) => login.url === url);
}

/** Keeps a login, in place of an earlier one at the same registry. */
export async function keepLogin(login: SavedLogin): Promise<void> {
  const saved = await readLogins();
  await write({ ...saved, logins: [...saved.logins.filter(({ url }) => url !== login.url), login] });
}

export async function makeCurrent(url: string): Promise<void> {
  const { logins } = await readLogins();
  if (!logins.some((login) => login.url === url)) throw new Failure(`not logged in: stowage login ${url}`);
  await write({ current: url, logins });
}

/** Answers the login that was kept, `undefined` where there was none to forget. */
export async function forgetLogin(url: string): Promise<SavedLogin | undefined> {
  const { current, logins } = await readLogins();
  const others = logins.filter((login) => login.url !== url);
  const next = current === url ? others.at(-1)?.url : current;
  await write({ ...(next !== undefined && { current: next }), logins: others });
  return logins.find((login) => login.url === url);
}

/** Readable by nobody else at any moment, and never half written. */
async function write(saved: Saved): Promise<void> {
  await mkdir(dirname(path()), { recursive: true, mode: 0o700 });
  const fresh = `${path()}.${randomUUID()}`;
  await writeFile(fresh, `${JSON.stringify(saved, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  await rename(fresh, path());
}
