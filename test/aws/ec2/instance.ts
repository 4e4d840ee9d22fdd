import { setTimeout as sleep } from 'node:timers/promises';
import { SLEEP_EXIT_CODE } from '../../../functions/environment.ts';
import type { RegistryProcess } from '../../registry-process.ts';

export type InstanceState = 'pending' | 'running' | 'stopping' | 'stopped';

/** What EC2 can do to whoever wants to start an instance. */
export interface Ec2Faults {
  /** There is none of this type left in the zone. */
  noCapacity: boolean;
  /** So many calls are refused, since there were too many. */
  throttled: number;
  /** It starts, and nothing ever answers. */
  neverUp: boolean;
}

interface InstanceOptions {
  /** From its start until the host is started on it. */
  readonly bootMs: number;
  /** From the end of the host until the machine is off. */
  readonly stopMs: number;
  /** Starts the host that runs on it. */
  readonly run: () => Promise<RegistryProcess>;
}

/** A code of EC2. */
export class Ec2Fault extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** systemd waits so long before it starts a service again that has ended. */
const RESTART_MS = 2000;

/** One machine that is started and stopped, and the stream host on it: a process that is started again whenever it ends, unless it
 *  has ended to have its machine switched off. */
export class Instance {
  readonly faults: Ec2Faults = { noCapacity: false, throttled: 0, neverUp: false };
  readonly #options: InstanceOptions;
  #state: InstanceState = 'stopped';
  #boots = 0;
  #host: RegistryProcess | undefined;
  #booting: Promise<void> | undefined;
  /** Fires when the machine stops or boots. */
  #power = new AbortController();

  constructor(options: InstanceOptions) {
    this.#options = options;
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** How often it was started. */
  get boots(): number {
    return this.#boots;
  }

  get host(): RegistryProcess | undefined {
    return this.#host;
  }

  /** Answers what EC2 answers; the rest goes on by itself. */
  start(): void {
    this.#throttle();
    if (this.#state === 'stopping') throw new Ec2Fault('IncorrectInstanceState');
    if (this.#state !== 'stopped') return;
    if (this.faults.noCapacity) throw new Ec2Fault('InsufficientInstanceCapacity');
    this.#state = 'pending';
    this.#boots += 1;
    this.#power = new AbortController();
    this.#booting = this.#boot(this.#power.signal);
  }

  describe(): InstanceState {
    this.#throttle();
    return this.#state;
  }

  stop(): void {
    this.#throttle();
    if (this.#state === 'stopped' || this.#state === 'stopping') return;
    void this.off();
  }

  reboot(): void {
    this.#throttle();
    if (this.#state !== 'running') throw new Ec2Fault('IncorrectInstanceState');
    this.#power.abort();
    this.#host?.signal('SIGKILL');
    this.#power = new AbortController();
    this.#booting = this.#boot(this.#power.signal);
  }

  /** Resolves when it is off. */
  async off(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopping';
    this.#power.abort();
    await this.#host?.stop('SIGTERM');
    await this.#booting;
    this.#host = undefined;
    await sleep(this.#options.stopMs);
    this.#state = 'stopped';
  }

  #throttle(): void {
    if (this.faults.throttled <= 0) return;
    this.faults.throttled -= 1;
    throw new Ec2Fault('RequestLimitExceeded');
  }

  async #boot(power: AbortSignal): Promise<void> {
    await sleep(this.#options.bootMs, undefined, { signal: power, ref: false }).catch(() => undefined);
    if (power.aborted) return;
    this.#state = 'running';
    while (!power.aborted && !this.faults.neverUp) {
      const host = await this.#options.run();
      this.#host = host;
      if (power.aborted) host.signal('SIGKILL');
      const code = await host.exited();
      if (power.aborted) return;
      if (code === SLEEP_EXIT_CODE) return void this.off();
      await sleep(RESTART_MS, undefined, { signal: power, ref: false }).catch(() => undefined);
    }
  }
}
