import { once } from 'node:events';
import { type Command, InvalidArgumentError } from 'commander';
import { misuse } from '../failure.ts';
import { startProxy } from '../proxy/proxy.ts';
import { createDisplay } from '../push/display.ts';
import { dockerCredential } from '../push/docker-config.ts';
import { credentialFor, type GlobalOptions, registryOf } from '../session.ts';
import { trust } from '../trust.ts';
import { asText, isLoopback, many, registryUrl } from '../values.ts';

const DEFAULT_LISTEN = '127.0.0.1:5001';

export function addProxyCommand(program: Command): void {
  program
    .command('proxy')
    .description('a local registry that pushes on as push does')
    .option(
      '--to <url>',
      'the registry that keeps everything (default: the one you are logged in to)',
      registryUrl,
    )
    .option('--listen <host:port>', 'where clients reach it', listenValue, listenValue(DEFAULT_LISTEN))
    .option('--name <host>', 'what clients call it, besides localhost; may be repeated', many(asText), [])
    .option('-q, --quiet', 'say nothing of each layer')
    .addHelpText('after', EXPLANATION)
    .action(proxy);
}

const EXPLANATION = `
For CI jobs and clients that cannot send a large layer otherwise: docker push 127.0.0.1:5001/team/app:1.2
Whoever reaches it pushes and pulls by your login, without one of their own. Each layer lies in TMPDIR while it is pushed.`;

interface Listen {
  readonly host: string;
  readonly port: number;
}

interface ProxyOptions extends GlobalOptions {
  readonly to?: string;
  readonly listen: Listen;
  readonly name: readonly string[];
  readonly quiet?: boolean;
}

function listenValue(text: string): Listen {
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === '' || Number(port) > 65_535)
    throw new InvalidArgumentError(`It looks like '${DEFAULT_LISTEN}'.`);
  return { host: host.replace(/^\[(.+)\]$/, '$1'), port: Number(port) };
}

async function proxy(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<ProxyOptions>();
  const { listen, name: names, quiet = false } = options;
  const isNear = isLoopback(listen.host) || listen.host === '::1';
  if (!isNear && names.length === 0)
    throw misuse(
      `whoever reaches ${listen.host} would push by your login: say what clients call it with --name, or listen on 127.0.0.1`,
    );
  const url = options.to ?? (await registryOf(options));
  await trust(url, options.ca);
  const credential = (await credentialFor(url, options)) ?? (await dockerCredential(new URL(url).host));
  const display = createDisplay(process.stderr, quiet);
  const running = await startProxy({ ...listen, url, credential, names, display }).catch((error: unknown) => {
    throw misuse(`cannot listen on ${listen.host}:${listen.port}: ${(error as Error).message}`);
  });
  try {
    const address = running.url.replace('http://', '');
    process.stdout.write(`${running.url} passes on to ${url}: docker push ${address}/team/app:1.2\n`);
    await Promise.race(['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => once(process, signal)));
  } finally {
    display.close();
    await running.close();
  }
}
