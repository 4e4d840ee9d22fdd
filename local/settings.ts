import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Names } from '../functions/app.ts';
import { ENV } from '../functions/environment.ts';
import { type Lease, leaseFrom } from '../functions/upkeep/lease.ts';
import { type Bounds, boundsFrom } from './bounds.ts';
import { type Certificate, readCertificate } from './certificate.ts';

/** What the environment tells a Node host; `stores.ts` reads what its stores need. */
export interface Settings {
  /** The address to listen on. */
  readonly host: string;
  readonly port: number;
  /** Absent where it speaks plain HTTP. */
  readonly tls?: Certificate;
  /** How clients reach it, where that is not what they name as host. */
  readonly publicUrl?: string;
  /** How many of the last entries of X-Forwarded-For and X-Forwarded-Proto are the truth: one for each proxy. */
  readonly proxies: number;
  /** Of the first admin, where there is to be one and nobody has to read it from a log. */
  readonly adminPassword?: string;
  /** Says which users, robots and grants there are to be, where somebody has written that down. */
  readonly usersFile?: string;
  /** Whether everybody may do everything. */
  readonly open: boolean;
  /** What clients may name as host, and web pages as their origin. */
  readonly names: Names;
  /** Whether it has a web page. */
  readonly page: boolean;
  /** How long sweeps leave things alone. */
  readonly lease: Lease;
  /** Whether it is the stream host behind CloudFront, which lets nobody in but the front door. */
  readonly behindFront: boolean;
  /** The id of the instance that it runs on, which it is to leave when nobody needs it. */
  readonly instance?: string;
  readonly bounds: Bounds;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the settings; throws with the variable's name for what it would have to guess the meaning of, and for what
 *  would let strangers in or passwords out. */
export function settingsFrom(environment: Environment): Settings {
  const host = hostFrom(environment['STOWAGE_HOST'] || '127.0.0.1');
  const tls = tlsFrom(environment);
  const publicUrl = publicUrlFrom(environment[ENV.publicUrl] || undefined);
  const open = flagFrom(environment, ENV.open);
  const instance = environment[ENV.streamInstance] || undefined;
  const adminPassword = passwordFrom(environment['STOWAGE_ADMIN_PASSWORD_FILE'] || undefined);
  const behindFront = behindFrontFrom(environment);
  const settings = {
    host,
    port: portFrom(environment['STOWAGE_PORT'] || DEFAULT_PORT),
    proxies: proxiesFrom(environment['STOWAGE_BEHIND_PROXY'] || '0'),
    open,
    names: namesFrom(environment, open, publicUrl),
    behindFront,
    page: !behindFront && flagFrom(environment, 'STOWAGE_UI', '1'),
    lease: leaseFromEnvironment(environment),
    bounds: boundsFrom(environment),
    ...(tls && { tls }),
    ...(publicUrl && { publicUrl }),
    ...(instance && { instance }),
    ...(adminPassword !== undefined && { adminPassword }),
    ...usersFileFrom(environment, open),
  };
  refuseDanger(settings);
  return settings;
}

function refuseDanger(settings: Omit<Settings, 'port' | 'names'>): void {
  const { host, tls, open, proxies, behindFront, publicUrl } = settings;
  if (isLoopback(host)) return;
  if (open) throw new Error(`${ENV.open}=1 is for this machine only, and STOWAGE_HOST is ${host}`);
  // TLS ends at CloudFront. From there to a VPC origin the way is AWS's own, which AWS encrypts between its sites, into a
  // subnet that nobody else reaches; and who does without the front door's secret is let no further. Passwords are never
  // sent this way: the front door takes them to the API.
  if (behindFront) return;
  if (tls || (proxies > 0 && publicUrl?.startsWith('https:'))) return;
  throw new Error(
    `passwords must not cross a network in the clear: to listen on ${host}, set STOWAGE_TLS_CERT and STOWAGE_TLS_KEY, ` +
      `or have a proxy do TLS and set STOWAGE_BEHIND_PROXY=1 and ${ENV.publicUrl}=https://…`,
  );
}

const isLoopback = (host: string) => /^(?:127(?:\.\d+){3}|::1|localhost)$/.test(host);

function hostFrom(text: string): string {
  if (text === 'localhost' || isIP(text) !== 0) return text;
  throw new Error(`STOWAGE_HOST is not an address of this machine: ${JSON.stringify(text)}`);
}

const DEFAULT_PORT = '5000';

/** What kubelet puts into STOWAGE_PORT in each pod beside a Service called `stowage`; nobody has chosen it. */
export const isServiceLink = (text: string | undefined) => /^(?:tcp|udp|sctp):\/\//.test(text ?? '');

function portFrom(given: string): number {
  const text = isServiceLink(given) ? DEFAULT_PORT : given;
  const port = Number(text);
  if (/^\d+$/.test(text) && port > 0 && port < 65_536) return port;
  throw new Error(`STOWAGE_PORT is not a port number: ${JSON.stringify(text)}`);
}

/** Ours: more than a CDN, a load balancer and two of one's own. */
const MAX_PROXIES = 9;

function proxiesFrom(text: string): number {
  const count = Number(text);
  if (/^\d$/.test(text) && count <= MAX_PROXIES) return count;
  throw new Error(
    `STOWAGE_BEHIND_PROXY is not a number of proxies, 0 to ${MAX_PROXIES}: ${JSON.stringify(text)}`,
  );
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`STOWAGE_ADMIN_PASSWORD_FILE cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function passwordFrom(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  const text = contentOf(file).replace(/\r?\n$/, '');
  if (text.length >= 12 && text.length <= 256 && !text.includes('\n')) return text;
  throw new Error(`STOWAGE_ADMIN_PASSWORD_FILE: ${file} has no password of 12 to 256 characters on one line`);
}

function usersFileFrom(environment: Environment, open: boolean): Pick<Settings, 'usersFile'> {
  const usersFile = environment['STOWAGE_USERS_FILE'];
  if (!usersFile) return {};
  if (open) throw new Error(`STOWAGE_USERS_FILE names users, and with ${ENV.open}=1 there are none`);
  if (environment['STOWAGE_STORE'] === 'aws')
    throw new Error('STOWAGE_USERS_FILE is for a registry on one machine, not for STOWAGE_STORE=aws');
  return { usersFile };
}

function flagFrom(environment: Environment, name: string, usual = '0'): boolean {
  const text = environment[name] || usual;
  if (text === '0' || text === '1') return text === '1';
  throw new Error(`${name} is 1 or 0, not ${JSON.stringify(text)}`);
}

function leaseFromEnvironment(environment: Environment): Lease {
  try {
    return leaseFrom({
      epochSeconds: environment[ENV.epochSeconds],
      quarantineSeconds: environment[ENV.quarantineSeconds],
      unsafe: environment[ENV.unsafeShortEpochs],
    });
  } catch (error) {
    throw new Error(`${ENV.epochSeconds}, ${ENV.quarantineSeconds}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Only on S3 can a front door do what it is for. */
function behindFrontFrom(environment: Environment): boolean {
  if (!environment[ENV.frontSecretHash]) return false;
  if (environment['STOWAGE_STORE'] === 'aws') return true;
  throw new Error(`${ENV.frontSecretHash} is for a registry with STOWAGE_STORE=aws`);
}

function publicUrlFrom(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && ['http:', 'https:'].includes(url.protocol) && url.pathname === '/' && !url.search)
    return url.origin;
  throw new Error(`${ENV.publicUrl} is not https://<host>, without a path: ${JSON.stringify(text)}`);
}

/** Whoever is told the names, or lets everybody in, takes no others. */
function namesFrom(environment: Environment, open: boolean, publicUrl: string | undefined): Names {
  const given = (environment[ENV.hosts] || '').split(',').flatMap((text) => text.trim() || []);
  const hosts = given.map(nameFrom);
  const all = publicUrl ? [new URL(publicUrl).host, ...hosts] : hosts;
  return { hosts: all, any: !open && hosts.length === 0 };
}

function nameFrom(text: string): string {
  const url = URL.canParse(`http://${text}`) ? new URL(`http://${text}`) : undefined;
  if (url && url.host === text.toLowerCase()) return url.host;
  throw new Error(`${ENV.hosts} has what is no name of a host: ${JSON.stringify(text)}`);
}

function tlsFrom(environment: Environment): Settings['tls'] {
  const { STOWAGE_TLS_CERT: certFile, STOWAGE_TLS_KEY: keyFile } = environment;
  if (!certFile && !keyFile) return undefined;
  if (!certFile || !keyFile) throw new Error('STOWAGE_TLS_CERT and STOWAGE_TLS_KEY belong together');
  return readCertificate({ certFile, keyFile });
}
