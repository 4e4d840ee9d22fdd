import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../local/main.ts');

/** The registry in a process of its own, as `npm start` runs it. */
export class RegistryProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(url: string, child: ChildProcess, exited: Promise<unknown>) {
    this.url = url;
    this.#child = child;
    this.#exited = exited;
  }

  /** Resolves once it listens; fails with its error output where it does not start. */
  static async start(data: string, port: number): Promise<RegistryProcess> {
    const env = { ...process.env, STOWAGE_DATA: data, STOWAGE_PORT: `${port}` };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    const exited = once(child, 'exit');
    let errors = '';
    for await (const text of child.stderr.iterator({ destroyOnReturn: false })) {
      errors += text;
      if (!errors.includes('Push a first image')) continue;
      child.stderr.resume();
      return new RegistryProcess(`http://127.0.0.1:${port}`, child, exited);
    }
    throw new Error(`the registry did not start: ${errors}`);
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    await this.#exited;
  }
}
