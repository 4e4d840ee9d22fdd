import { createApp } from '../functions/app.ts';
import { createLog } from './log.ts';
import { type RunningServer, serve } from './server.ts';
import { type OpenRegistry, openStores } from './stores.ts';

/** A registry without users and passwords: only this machine may connect. */
const HOST = '127.0.0.1';

const TIDY_INTERVAL_MS = 60 * 60_000;

await main().catch((error: unknown) => {
  process.stderr.write(`stowage: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});

/** Runs the registry until SIGINT or SIGTERM. */
async function main(): Promise<void> {
  process.umask(0o077); // images are nobody else's business on this machine
  const port = portFrom(process.env['STOWAGE_PORT'] || '5000');
  const stores = await openStores(process.env);
  const app = createApp({ registry: stores.registry, onAnswer: createLog(process.stdout) });
  const onError = (error: unknown) =>
    void process.stderr.write(`stowage: an answer was cut short: ${error}\n`);
  const server = await serve(app, { host: HOST, port, onError }).catch((error: unknown) => {
    throw explain(error, port);
  });
  process.stderr.write(banner(server.url, stores.place));
  stopOnSignal(server, stores, tidyRegularly(stores));
}

function portFrom(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port > 0 && port < 65_536) return port;
  throw new Error(`STOWAGE_PORT is not a port number: ${JSON.stringify(text)}`);
}

function explain(error: unknown, port: number): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return error;
  return new Error(`port ${port} is taken; choose another with STOWAGE_PORT`, { cause: error });
}

/** Tidying that fails must not stop the registry; the next one tries again. */
function tidyRegularly(stores: OpenRegistry): NodeJS.Timeout {
  const tidy = () => {
    stores.tidy().catch((error) => process.stderr.write(`stowage: tidying failed: ${error}\n`));
  };
  tidy();
  return setInterval(tidy, TIDY_INTERVAL_MS);
}

/** The first signal lets requests finish, the second one does not wait for them. */
function stopOnSignal(server: RunningServer, stores: OpenRegistry, timer: NodeJS.Timeout): void {
  let stopping = false;
  const stop = async () => {
    if (stopping) process.exit(1);
    stopping = true;
    process.stderr.write('stowage: finishing requests; once more to stop at once\n');
    clearInterval(timer);
    await server.close();
    await stores.close();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop());
}

function banner(url: string, place: string): string {
  const host = new URL(url).host;
  return `
  Stowage is at ${url}, its data in ${place}

  Push a first image:

    docker pull alpine
    docker tag alpine ${host}/alpine
    docker push ${host}/alpine

`;
}
