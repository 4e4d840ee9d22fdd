import type { Command } from 'commander';

const PROGRAM = new URL('../../local/main.ts', import.meta.url);

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('run a registry on this machine')
    .option('--port <number>', 'the port (default: 5000)')
    .option('--data <directory>', 'where everything is kept (default: ./data)')
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
    .option('--tls-cert <file>', 'certificate chain, PEM')
    .option('--tls-key <file>', 'its key, PEM')
    .option('--public-url <url>', 'how clients reach it, where that is not what they name as host')
    .option('--behind-proxy', 'believe the last entry of X-Forwarded-For and X-Forwarded-Proto')
    .option('--hosts <names>', 'what else clients may name as host, with commas between')
    .option('--open', 'no users: whoever can connect may do everything; on this machine only')
    .addHelpText('after', '\nWithout an option, its variable counts: STOWAGE_PORT, STOWAGE_DATA and so on.')
    .action(serve);
}

type ServeOptions = Readonly<Record<string, string | true | undefined>>;

const VARIABLES: Readonly<Record<string, string>> = {
  port: 'STOWAGE_PORT',
  data: 'STOWAGE_DATA',
  host: 'STOWAGE_HOST',
  tlsCert: 'STOWAGE_TLS_CERT',
  tlsKey: 'STOWAGE_TLS_KEY',
  publicUrl: 'STOWAGE_PUBLIC_URL',
  behindProxy: 'STOWAGE_BEHIND_PROXY',
  hosts: 'STOWAGE_HOSTS',
  open: 'STOWAGE_OPEN',
};

/** The host is a program of its own, configured by its environment; in this process, so that it gets each signal
 *  exactly once. */
async function serve(options: ServeOptions): Promise<void> {
  for (const [option, variable] of Object.entries(VARIABLES)) {
    const value = options[option];
    if (value !== undefined) process.env[variable] = value === true ? '1' : value;
  }
  await import(PROGRAM.href);
}
