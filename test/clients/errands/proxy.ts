import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Accounts } from '../accounts.ts';
import { inheritedEnvironment, run } from '../command.ts';
import { whyAbsent } from '../go-tools.ts';
import { TAG } from '../layout.ts';
import { NAME } from '../named-registry.ts';
import { expectEqual } from '../registry.ts';
import type { Errand, ErrandOptions } from './errand.ts';

const MAIN = join(import.meta.dirname, '../../../cli/main.ts');

/** `stowage proxy` takes images from clients that have no login, and large layers also where the registry takes none of them from
 *  their like. */
export const proxy: Errand = { name: 'proxy', run: pushThrough };

async function pushThrough(options: ErrandOptions): Promise<void> {
  const { report, path, tools, isRequired, named, directory, images } = options;
  await mkdir(directory);
  const running = await Proxied.start(options);
  try {
    for (const client of CLIENTS) {
      const absent = await whyAbsent([client.name], path, tools);
      if (absent !== undefined && isRequired(client.name)) report.fail('proxy', 'is required', absent);
      else if (absent !== undefined) report.skip('proxy', `${client.name} pushes`, absent);
      else
        await report.check(
          'proxy',
          `${client.name} pushes and pulls what stowage proxy passes on`,
          async () => {
            const layout = join(directory, client.name);
            await cp(images.image.directory, layout, { recursive: true });
            const repository = `proxied/${client.name}`;
            const env = { ...inheritedEnvironment(), PATH: path, HOME: directory };
            for (const args of client.push(layout, running.host, `${running.host}/${repository}:${TAG}`))
              await run(client.name, args, { env });
            const { digest } = await named.registry.verify(repository, TAG);
            expectEqual('pushed image', digest, images.image.descriptor.digest);
          },
        );
    }
  } finally {
    await running.stop();
  }
}

interface ProxyClient {
  readonly name: string;
  /** Command lines. */
  push(layout: string, host: string, reference: string): readonly (readonly string[])[];
}

const CLIENTS: readonly ProxyClient[] = [
  {
    name: 'crane',
    push: (layout, _, reference) => [
      ['--insecure', 'push', layout, reference],
      ['--insecure', 'pull', '--format=oci', reference, `${layout}-pulled`],
    ],
  },
  {
    name: 'regctl',
    push: (layout, host, reference) => [
      ['registry', 'set', '--tls', 'disabled', host],
      ['image', 'copy', `ocidir://${layout}:${TAG}`, reference],
      ['image', 'copy', reference, `ocidir://${layout}-pulled:${TAG}`],
    ],
  },
];

/** The program, where the registry's name is known. */
class Proxied {
  readonly host: string;
  readonly #child: ReturnType<typeof spawn>;

  private constructor(host: string, child: ReturnType<typeof spawn>) {
    [this.host, this.#child] = [host, child];
  }

  static async start({ named, directory, path }: ErrandOptions): Promise<Proxied> {
    const grants = [{ pattern: 'proxied/*', actions: ['push'] }];
    const { username, password } = await new Accounts(named.registry).createRobot('proxy', grants);
    const args = [MAIN, 'proxy', '--to', `https://${NAME}`, '--listen', '127.0.0.1:0'];
    const command = named.within(process.execPath, args);
    const login = {
      STOWAGE_REGISTRY: `https://${NAME}`,
      STOWAGE_USERNAME: username,
      STOWAGE_TOKEN: password,
    };
    const env = {
      ...inheritedEnvironment(),
      ...named.trust,
      ...login,
      PATH: path,
      XDG_CONFIG_HOME: directory,
    };
    const child = spawn(command.program, command.args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: child.stdout })) {
      const [, host] = /^http:\/\/(\S+) passes on/.exec(line) ?? [];
      if (host !== undefined) return new Proxied(host, child);
    }
    throw new Error('stowage proxy did not start');
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    await ended;
  }
}
