import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer, getCACertificates, type Server } from 'node:tls';
import { openTarget, type Target, type TargetName } from '../targets.ts';
import { type Environment, run } from './command.ts';
import { type Credentials, Registry } from './registry.ts';
import { Skip } from './report.ts';

/** What docs/clients.md calls the registry. */
export const NAME = 'registry.example.com';

/** Binds the first argument over the hosts file, then becomes the others. */
const ENTER = 'mount --bind "$0" /etc/hosts && exec "$@"';

/** A registry that clients reach as they would yours: by a name, at the usual port, by TLS with a certificate that they
 *  know. Needs to be root. */
export class NamedRegistry {
  /** The same, asked by plain HTTP, as its admin. */
  readonly registry: Registry;
  readonly admin: Credentials;
  readonly target: Target;
  /** Of the certificate. */
  readonly certificate: string;
  /** What has clients trust it, besides all that they trust anyway. */
  readonly trust: Environment;
  readonly #hosts: string;
  readonly #door: Door;

  private constructor(directory: string, target: Target, door: Door) {
    if (target.admin === undefined) throw new Error('the registry has no admin');
    this.target = target;
    this.admin = target.admin;
    this.registry = new Registry(target.url, target.admin);
    this.certificate = join(directory, 'cert.pem');
    const bundle = join(directory, 'bundle.pem');
    this.trust = {
      SSL_CERT_FILE: bundle,
      REQUESTS_CA_BUNDLE: bundle,
      PIP_CERT: bundle,
      NODE_EXTRA_CA_CERTS: this.certificate,
    };
    this.#hosts = join(directory, 'hosts');
    this.#door = door;
  }

  /** Starts the target, whose data goes into `directory`. Throws `Skip` for who is not root. */
  static async open(name: TargetName, directory: string): Promise<NamedRegistry> {
    if (process.getuid?.() !== 0) throw new Skip('only root can give a registry a name on this machine');
    if (process.env['STOWAGE_URL']) throw new Skip('the registry at STOWAGE_URL has a name of its own');
    await mkdir(directory);
    const pair = await makeCertificate(directory);
    const target = await openTarget(name, directory, { publicUrl: `https://${NAME}` });
    const door = new Door(pair, target.url);
    // Any of 127.0.0.0/8 is this machine, and nobody else's port 443 is in the way.
    const address = `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
    await writeFile(join(directory, 'hosts'), `127.0.0.1 localhost\n${address} ${NAME}\n`);
    await door.listen(address);
    return new NamedRegistry(directory, target, door);
  }

  /** The same command, where the name is known. */
  within(program: string, args: readonly string[]): { program: string; args: string[] } {
    const enter = ['--mount', '--propagation', 'private', 'sh', '-c', ENTER, this.#hosts];
    return { program: 'unshare', args: [...enter, program, ...args] };
  }

  /** What clients got so far, in bytes. */
  get bytesSent(): number {
    return this.#door.bytesSent;
  }

  async close(): Promise<void> {
    this.#door.close();
    await this.target.stop();
  }
}

/** Where TLS ends: what comes in goes on to `url`, what comes back is counted. */
class Door {
  bytesSent = 0;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();

  constructor(pair: { cert: Buffer; key: Buffer }, url: string) {
    const port = Number(new URL(url).port);
    this.#server = createServer(pair, (client) => {
      const upstream = connect(port, '127.0.0.1');
      this.#clients.add(client);
      client.on('error', () => upstream.destroy()).on('close', () => this.#clients.delete(client));
      upstream.on('error', () => client.destroy()).on('data', ({ length }) => (this.bytesSent += length));
      for (const socket of [client, upstream]) socket.setNoDelay(); // else small answers wait for others
      client.pipe(upstream).pipe(client);
    });
  }

  async listen(address: string): Promise<void> {
    await once(this.#server.listen(443, address), 'listening');
  }

  close(): void {
    this.#server.close();
    for (const client of this.#clients) client.destroy();
  }
}

/** Signed by itself, and a CA, so that every client can be told to trust it. */
async function makeCertificate(directory: string): Promise<{ cert: Buffer; key: Buffer }> {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`];
  await run('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert]);
  const own = await readFile(cert);
  const all = new Set([...getCACertificates('default'), ...getCACertificates('system'), `${own}`]);
  await writeFile(join(directory, 'bundle.pem'), [...all].join('\n'));
  return { cert: own, key: await readFile(key) };
}
