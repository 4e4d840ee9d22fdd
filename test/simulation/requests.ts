import { AsyncLocalStorage } from 'node:async_hooks';
import type { Task } from './tasks.ts';

/** One task of an actor, from its start until it ends or crashes; nothing of it is left but what it wrote. */
export interface Process {
  readonly actor: string;
  /** Of the actor, from 1. */
  readonly number: number;
  readonly task: Task;
  isDead: boolean;
  /** By how much its clock is wrong, in milliseconds. */
  skewMs: number;
}

/** An AbortSignal, as far as the registry looks at one. Real ones take longer to make than most calls to answer. */
class EndSignal {
  aborted = false;
  reason: Error | undefined;

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }
}

/** What a request is about. */
export interface About {
  readonly sending?: Uint8Array;
  readonly session?: string;
  readonly isAlone?: boolean;
  /** How often its client tries. @default 3 */
  readonly attempts?: number;
}

/** What somebody waits for an answer to. Once they were told an error, `signal` has fired. */
export class Request {
  readonly process: Process;
  /** The bytes that it carries to an upload. */
  readonly sending: Uint8Array | undefined;
  /** The upload that it is about. */
  readonly session: string | undefined;
  /** Whether nothing else goes on: then none of its calls has to wait. */
  readonly isAlone: boolean;
  readonly #end = new EndSignal();
  #onEnd: ((reason: Error) => void) | undefined;

  constructor(process: Process, about: About = {}) {
    this.process = process;
    this.sending = about.sending;
    this.session = about.session;
    this.isAlone = about.isAlone ?? false;
  }

  get signal(): AbortSignal {
    return this.#end as unknown as AbortSignal;
  }

  /** Its client is told that it failed. */
  giveUp(reason: Error): void {
    if (this.#end.aborted) return;
    this.#end.aborted = true;
    this.#end.reason = reason;
    this.#onEnd?.(reason);
  }

  /** Fails when its client is told so. */
  untilGivenUp(): Promise<never> {
    return new Promise((_, reject) => {
      this.#onEnd = reject;
    });
  }
}

const current = new AsyncLocalStorage<Request>();

/** The request that the running code serves; none where the simulation itself acts. */
export const requestNow = (): Request | undefined => current.getStore();

export const serve = <T>(request: Request, act: () => Promise<T>): Promise<T> => current.run(request, act);
