import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';

/** Long enough for 300 MB to be compressed and sent on two slow cores. */
const COMMAND_TIMEOUT_SECONDS = 300;

/** What of a failing command's output is worth reading in a report. */
const REPORTED_OUTPUT_CHARACTERS = 4000;

/** What a shell expects of a program that Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;

/** Daemons and `debootstrap` live here, and not every user has these on the PATH. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

export type Environment = Readonly<Record<string, string>>;

export interface CommandOptions {
  /** @default this process's own environment */
  readonly env?: Environment;
  readonly cwd?: string;
  /** What it reads on its standard input, such as a password. @default nothing */
  readonly input?: string;
  /** Whether what it prints on its standard error is returned after the rest. @default false */
  readonly withErrors?: boolean;
  /** @default COMMAND_TIMEOUT_SECONDS */
  readonly timeoutSeconds?: number;
}

/** A command that exited with anything but 0, with what it printed. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly stdout: string;
  readonly stderr: string;
  /** How long it ran. */
  readonly seconds: number;

  constructor(
    command: string,
    outcome: string,
    { stdout, stderr, seconds: ran }: { stdout: string; stderr: string; seconds: number },
  ) {
    super(`${command}\n${outcome}\n${(stdout + stderr).trim().slice(-REPORTED_OUTPUT_CHARACTERS)}`);
    this.stdout = stdout;
    this.stderr = stderr;
    this.seconds = ran;
  }

  /** All it printed. */
  get output(): string {
    return this.stdout + this.stderr;
  }
}

const running = new Set<ChildProcess>();
let closed = false;

/** Runs a program to its end and returns what it printed; never through a shell. */
export async function run(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  refuseIfClosed();
  const seconds = options.timeoutSeconds ?? COMMAND_TIMEOUT_SECONDS;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // a process group of its own, so that its children end with it
  });
  const started = performance.now();
  running.add(child);
  child.stdin.on('error', () => undefined); // it may end without having read it
  child.stdin.end(options.input ?? '');
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(child);
  }, seconds * 1000);
  try {
    const [stdout, stderr, outcome] = await Promise.all([
      collect(child.stdout),
      collect(child.stderr),
      exitOf(child),
    ]);
    if (outcome === 'exit 0') return options.withErrors ? stdout + stderr : stdout;
    const reason = late ? `killed after ${seconds} s` : outcome;
    const ran = (performance.now() - started) / 1000;
    throw new CommandError([program, ...args].join(' '), reason, { stdout, stderr, seconds: ran });
  } finally {
    clearTimeout(timer);
    running.delete(child);
  }
}

/** Ends what `run` has started and not yet seen the end of; nothing can be started any more. */
export function killRunning(): void {
  closed = true;
  for (const child of running) killGroup(child);
}

/** Throws once `killRunning` was called: what is interrupted must not go on with its next step. */
export function refuseIfClosed(): void {
  if (closed) throw new Error('the run was ended');
}

/** Has a signal end this program in order: `cleanUp`, then the exit code that a shell expects. */
export function cleanUpOnSignal(cleanUp: () => Promise<void>): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void cleanUp().finally(() => process.exit(EXIT_INTERRUPTED)));
  }
}

/** Sends SIGKILL to a child that leads its own process group; not being there any more is fine. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/** This process's environment, with nothing undefined in it. */
export function inheritedEnvironment(): Environment {
  const defined = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return Object.fromEntries(defined);
}

/** The PATH with `first` before it and the system directories after it. */
export function searchPath(first: readonly string[] = []): string {
  return [...first, ...(process.env['PATH'] ?? '').split(':'), ...SYSTEM_DIRECTORIES].join(':');
}

/** The file that `name` stands for on `path`, or undefined. */
export async function findProgram(name: string, path: string): Promise<string | undefined> {
  for (const directory of path.split(':').filter((entry) => entry !== '')) {
    const file = join(directory, name);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === null ? `signal ${signal}` : `exit ${code}`));
  });
}
