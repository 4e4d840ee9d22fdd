import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { RegistryProcess } from '../registry-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'cli/main.ts');
/** As the launcher sets it. */
const CACHE = { NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/stowage') };

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly ended: Promise<Outcome>;
  /** What it has printed so far. */
  printed(): string;
  signal(signal: NodeJS.Signals): void;
}

type Environment = Readonly<Record<string, string>>;

/** The program as a user runs it, with a home of its own. */
export class Stowage {
  readonly #environment: Environment;

  /** Keeps its logins in `home`. */
  constructor(home: string, environment: Environment = {}) {
    const { STOWAGE_REGISTRY: _, STOWAGE_TOKEN: __, STOWAGE_USERNAME: ___, ...inherited } = process.env;
    this.#environment = { ...inherited, ...CACHE, XDG_CONFIG_HOME: home, ...environment };
  }

  /** Runs a command line to its end; words are split at spaces, unless they are given one by one. */
  run(command: string | readonly string[], input: string | Uint8Array = ''): Promise<Outcome> {
    return this.start(command, input).ended;
  }

  /** Starts a command line, which signals can be sent to. */
  start(command: string | readonly string[], input: string | Uint8Array = ''): Running {
    const words = typeof command === 'string' ? command.split(' ') : command;
    const child = spawn(process.execPath, [MAIN, ...words], { env: this.#environment });
    child.stdin.on('error', () => undefined); // not every command reads it
    child.stdin.end(input);
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    const outputs = [text(child.stdout), text(child.stderr), once(child, 'close')] as const;
    const ended = Promise.all(outputs).then(([stdout, stderr]) => ({ code: child.exitCode, stdout, stderr }));
    return { ended, printed: () => printed, signal: (signal) => void child.kill(signal) };
  }

  /** What a command prints that must succeed. */
  async print(command: string | readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, input);
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${stderr}`);
    return stdout;
  }

  async json(command: string): Promise<unknown> {
    return JSON.parse(await this.print(`${command} --json`));
  }
}

/** A registry with users, and the command line of its first admin. */
export interface Host {
  readonly registry: RegistryProcess;
  readonly password: string;
  readonly admin: Stowage;
  /** The command line of somebody who has not logged in; the environment may say who. */
  as(environment?: Environment): Promise<Stowage>;
  stop(): Promise<void>;
}

export async function startHost(): Promise<Host> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-cli-'));
  const registry = await RegistryProcess.start(join(folder, 'data'), {});
  const password = passwordIn(registry.banner);
  const as = async (environment: Environment = {}) =>
    new Stowage(await mkdtemp(join(folder, 'home-')), environment);
  const admin = await as();
  await admin.print(`login ${registry.url} --username admin --password-stdin`, password);
  return {
    registry,
    password,
    admin,
    as,
    async stop() {
      await registry.stop('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The first admin's, from what a person sees who starts the registry. */
export function passwordIn(banner: string): string {
  const [, password] = /password[^\n]*\n\n {4}(\S+)\n/.exec(banner) ?? [];
  if (!password) throw new Error(`no password in: ${banner}`);
  return password;
}
