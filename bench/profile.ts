import { once } from 'node:events';
import { freePort } from '../test/free-port.ts';
import { type Part, partsOf, type RawProfile } from './profile-parts.ts';
import type { Scale } from './scale.ts';
import type { ServerGroup } from './server-group.ts';
import { LOOPBACK, type RecipeMaker, stowage } from './servers.ts';
import { WORKLOADS } from './workloads/all.ts';
import type { Measure, Workload } from './workloads/workload.ts';

const SAMPLE_MICROSECONDS = 200;

interface ProfileOptions {
  readonly root: string;
  /** Made, for a registry of its own: who is profiled is not timed. */
  readonly workspace: string;
  readonly group: ServerGroup;
  readonly scale: Scale;
  readonly names: readonly string[];
}

/** Shares of the time in which Stowage's first thread did anything, by the title of the workload. */
export type Profiles = ReadonlyMap<string, ReadonlyMap<Part, number>>;

/** Runs a round of each workload, after one to warm up, on a Stowage that samples its own thread. */
export async function profileWorkloads(options: ProfileOptions): Promise<Profiles> {
  const { root, workspace, group, scale, names } = options;
  const port = await freePort();
  const server = await group.start(await inspected(stowage(root), port)(workspace));
  const profiler = await Profiler.connect(port);
  const profiles = new Map<string, ReadonlyMap<Part, number>>();
  for (const name of names) {
    const workload = WORKLOADS.get(name)?.(scale);
    if (workload === undefined) continue;
    await workload.setUp?.(server.target);
    await runRound(workload, `${name}-warm-up`, async (work) => void (await work()));
    await runRound(workload, `${name}-profiled`, async (work) => {
      profiles.set(workload.title, partsOf(await profiler.profile(work)));
    });
  }
  profiler.close();
  await server.stop();
  return profiles;

  function runRound(workload: Workload, label: string, measure: Measure): Promise<void> {
    return workload.makeRound(`profile-${label}`)(server.target, measure);
  }
}

function inspected(maker: RecipeMaker, port: number): RecipeMaker {
  return async (directory) => {
    const recipe = await maker(directory);
    return { ...recipe, command: inspectedCommand(recipe.command, port) };
  };
}

/** A command of Node.js whose process lets a profiler in. */
export function inspectedCommand([node = '', ...args]: readonly string[], port: number): readonly string[] {
  return [node, `--inspect=${LOOPBACK}:${port}`, ...args];
}

interface Answer {
  readonly id: number;
  readonly result: unknown;
}

/** https://chromedevtools.github.io/devtools-protocol/v8/Profiler/ */
export class Profiler {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const { id, result } = JSON.parse(`${data}`) as Answer;
      this.#waiting.get(id)?.(result);
    });
  }

  static async connect(port: number): Promise<Profiler> {
    const list = await fetch(`http://${LOOPBACK}:${port}/json/list`);
    const [process] = (await list.json()) as { webSocketDebuggerUrl: string }[];
    const socket = new WebSocket(process?.webSocketDebuggerUrl ?? '');
    await once(socket, 'open');
    const profiler = new Profiler(socket);
    await profiler.call('Profiler.enable');
    await profiler.call('Profiler.setSamplingInterval', { interval: SAMPLE_MICROSECONDS });
    return profiler;
  }

  /** What its thread does while `work` goes on. */
  async profile(work: () => Promise<unknown>): Promise<RawProfile> {
    await this.call('Profiler.start');
    await work();
    return ((await this.call('Profiler.stop')) as { profile: RawProfile }).profile;
  }

  call(method: string, params: object = {}): Promise<unknown> {
    this.#calls += 1;
    const id = this.#calls;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  /** A process does not end before this. */
  close(): void {
    this.#socket.close();
  }
}
