import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { freePort } from './free-port.ts';

const MAIN = join(import.meta.dirname, '../local/start.mjs');

/** The registry in a process of its own, as `npm start` runs it. */
export class RegistryProcess {
  /** As the banner tells it. */
  readonly url: string;
  readonly port: number;
  /** The start-up banner. */
  readonly banner: string;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #log = '';
  #errors = '';

  private constructor(port: number, banner: string, child: ChildProcessByStdio<null, Readable, Readable>) {
    this.url = /https?:\/\/[^\s,]+/.exec(banner)?.[0] ?? '';
    this.port = port;
    this.banner = banner;
    this.#child = child;
    child.stderr.on('data', (text) => {
      this.#errors += text;
    });
    child.stdout.on('data', (text) => {
      this.#log += text;
    });
  }

  /** Resolves once it listens; fails with its error output where it does not start. Without users, unless the
   *  environment says otherwise. */
  static async start(
    data: string,
    environment: Readonly<Record<string, string>> = { STOWAGE_OPEN: '1' },
  ): Promise<RegistryProcess> {
    const port = await freePort();
    const env = { ...process.env, STOWAGE_DATA: data, STOWAGE_PORT: `${port}`, ...environment };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let errors = '';
    for await (const text of child.stderr.iterator({ destroyOnReturn: false })) {
      errors += text;
      if (errors.includes('docker push')) {
        return new RegistryProcess(port, errors, child);
      }
    }
    throw new Error(`the registry did not start: ${errors}`);
  }

  /** The lines it has logged so far. */
  get log(): readonly string[] {
    return this.#log.split('\n').filter(Boolean);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What it has written to its error output since it started. */
  get errors(): string {
    return this.#errors;
  }

  /** The files that it has open (Linux). */
  get openFiles(): readonly string[] {
    const directory = `/proc/${this.#child.pid}/fd`;
    return readdirSync(directory).flatMap((name) => {
      try {
        return readlinkSync(join(directory, name));
      } catch {
        return []; // closed meanwhile
      }
    });
  }

  /** Reads no further line, as whoever read them has ended. */
  leaveLog(): void {
    this.#child.stdout.destroy();
  }

  /** The memory that it holds, in MiB (Linux). */
  get memory(): number {
    return this.#memory('VmRSS');
  }

  /** The most that it ever held. */
  get peakMemory(): number {
    return this.#memory('VmHWM');
  }

  #memory(field: string): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The exit code, `null` where a signal ended it. */
  async exited(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    this.signal(signal);
    await this.exited();
  }
}
