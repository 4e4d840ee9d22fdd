import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { type App, createApp } from '../functions/app.ts';
import type { Authentication } from '../functions/auth/authentication.ts';
import { SLEEP_EXIT_CODE } from '../functions/environment.ts';
import { createFirstAdmin } from '../functions/identity/first-admin.ts';
import { HostLife } from '../functions/stream/life.ts';
import { banner } from './banner.ts';
import { watchCertificate } from './certificate.ts';
import { createLog } from './log.ts';
import { portTaken } from './port-taken.ts';
import { type RunningServer, serve } from './server.ts';
import { isServiceLink, type Settings, settingsFrom } from './settings.ts';
import { sleepWhenIdle } from './sleep.ts';
import { type OpenRegistry, openStores } from './stores.ts';
import { localPage } from './ui-files.ts';
import type { UsersFile } from './users-file.ts';
import { WholeBodies } from './whole-bodies.ts';

const TIDY_INTERVAL_MS = 60 * 60_000;

/** What the stores have to note what is left to note. */
const STORES_CLOSE_MS = 500;

const LEFT_OPEN_MS = 200;

await main().catch((error: unknown) => {
  tell(reasonOf(error));
  process.exitCode = 1;
});

/** Runs the registry until SIGINT or SIGTERM. */
async function main(): Promise<void> {
  // Young objects are collected early: each piece of a body holds on to 64 KiB that lie elsewhere. Of Node's options that would say so,
  // this one can be set when it runs already.
  setFlagsFromString('--semi-space-growth-factor=1');
  process.umask(0o077); // images are nobody else's business on this machine
  process.stderr.on('error', () => undefined); // whoever read it has gone, and the registry need not go as well
  const settings = settingsFrom(process.env);
  if (isServiceLink(process.env['STOWAGE_PORT']))
    tell(
      `STOWAGE_PORT is what Kubernetes says of a Service called stowage, and is ignored: the port is ${settings.port}`,
    );
  const users = await usersFrom(settings);
  const stores = await openStores(process.env, tell, halt);
  const page = settings.page ? await localPage(tell) : undefined;
  const app = createApp({
    registry: stores.registry,
    room: stores.room,
    authentication: settings.open ? undefined : await authenticationOf(stores, settings),
    front: stores.front,
    names: settings.names,
    page,
    lease: settings.lease,
    readings: new WholeBodies(settings.bounds.formMs),
    onAnswer: createLog(process.stdout, tell),
  });
  const onError = (error: unknown, request: string) =>
    tell(`the answer to ${request} was cut short: ${error}`);
  // Nobody is told that it is ready, or that a password is wrong, before the users are there. It listens before: else an admin would be
  // made, and the password never shown, where the port is taken.
  const { promise: peopled, resolve: open } = Promise.withResolvers<void>();
  const answer: App = async (...asked) => {
    await peopled;
    return app(...asked);
  };
  const server = await serve(answer, { ...settings, onError, answersWatchdog: settings.behindFront }).catch(
    (error: unknown) => {
      throw explain(error, settings.port);
    },
  );
  const password = await makeUsers(stores, settings, users).catch((error: unknown) => halt(reasonOf(error)));
  open();
  const url = settings.publicUrl ?? server.url;
  const stop = stopOnSignal(
    server,
    stores,
    tidyRegularly(stores, settings),
    renewing(server, settings, () => users?.reread(stores.registry, tell)),
  );
  sleepWith(settings, stores, server, stop);
  const told = { url, place: stores.place, open: settings.open, page: page !== undefined, password };
  process.stderr.write(banner(told));
}

/** Makes the first admin, where the users' file names none, then all whom it names; answers the password that nobody knows yet. The
 *  other way round an admin would be no first one. */
async function makeUsers(
  { registry, makesAdmin }: OpenRegistry,
  { open, adminPassword }: Settings,
  file: UsersFile | undefined,
): Promise<string | undefined> {
  const isAdminMissing = makesAdmin && !open && !file?.namesAdmin;
  const made = isAdminMissing ? await createFirstAdmin(registry, 'admin', adminPassword) : undefined;
  await file?.take(registry);
  return adminPassword === undefined ? made : undefined;
}

/** Loaded only where there is such a file. */
async function usersFrom({ usersFile }: Settings): Promise<UsersFile | undefined> {
  if (usersFile === undefined) return undefined;
  return (await import('./users-file.ts')).UsersFile.read(usersFile);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One line for the operator. */
function tell(what: string): void {
  process.stderr.write(`stowage: ${what}\n`);
}

/** Whoever waits for an answer gets none, as by a crash: that is what it is. */
function halt(why: string): never {
  tell(why);
  process.exit(1);
}

/** Loaded only here: an open registry starts sooner without what makes and reads tokens. */
async function authenticationOf(
  { registry, keys }: OpenRegistry,
  { publicUrl }: Settings,
): Promise<Authentication> {
  const [{ Authentication }, { IdTokenVerifier }] = await Promise.all([
    import('../functions/auth/authentication.ts'),
    import('../functions/auth/id-tokens.ts'),
  ]);
  return new Authentication({ registry, keys, publicUrl, workloads: new IdTokenVerifier() });
}

function explain(error: unknown, port: number): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return error;
  return new Error(portTaken(port), { cause: error });
}

interface Tidying {
  /** What is under way is cut off wherever it is; the next start goes on. */
  stop(): void;
}

/** Tidying that fails must not stop the registry; the next one tries again. */
function tidyRegularly(stores: OpenRegistry, { lease }: Settings): Tidying {
  let isStopped = false;
  const explain = (error: unknown) => {
    if (!isStopped) tell(`tidying failed, and is tried again in an hour: ${reasonOf(error)}`);
  };
  const tidy = () => void stores.tidy(lease).catch(explain);
  tidy();
  const timer = setInterval(tidy, TIDY_INTERVAL_MS);
  return {
    stop() {
      isStopped = true;
      clearInterval(timer);
    },
  };
}

/** Answers how to look at once whether the certificate was renewed, and what else was. */
function renewing(server: RunningServer, { tls }: Settings, others: () => void): () => void {
  const look = tls && watchCertificate(tls, { take: (renewed) => server.renew(renewed), tell }).look;
  return () => {
    look?.();
    others();
  };
}

/** The stream host of a deployment where that sleeps: says that it is there, and ends so that its machine is switched off. */
function sleepWith(
  { instance }: Settings,
  { registry: { table, now } }: OpenRegistry,
  server: RunningServer,
  stop: () => Promise<void>,
): void {
  if (instance === undefined) return;
  const sleep = () => {
    process.exitCode = SLEEP_EXIT_CODE;
    tell('nobody needs the stream host now');
    return stop();
  };
  sleepWhenIdle({
    life: new HostLife({ table, instance, now }),
    wasBusy: () => server.wasBusy(),
    sleep,
    tell,
  });
}

/** Answers what a signal does. The first one lets requests finish, for a time; the second one does not wait for them. SIGHUP says that a file was renewed,
 *  or, to what a terminal has started, that the terminal is gone. */
function stopOnSignal(
  server: RunningServer,
  stores: OpenRegistry,
  tidying: Tidying,
  renew: () => void,
): () => Promise<void> {
  let stopping = false;
  const stop = async () => {
    if (stopping) process.exit(1);
    stopping = true;
    tell('finishing requests; once more to stop at once');
    tidying.stop();
    await server.close();
    await Promise.race([stores.close(), sleep(STORES_CLOSE_MS)]);
    setTimeout(() => process.exit(), LEFT_OPEN_MS).unref(); // whatever is left open keeps nobody waiting
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop());
  process.on('SIGHUP', process.stdin.isTTY ? () => void stop() : renew);
  return stop;
}
