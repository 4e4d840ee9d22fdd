import type { RegistryError } from '../oci/errors.ts';
import { streamHostFailed, streamHostStarting } from '../oci/host-errors.ts';
import { atMost, equals, type Table } from '../storage/table.ts';
import { LONGEST_START_MS, patienceOf } from './agents.ts';
import { type HostItem, HostRecord } from './host-item.ts';
import type { Machine } from './machine.ts';
import { FRESH_MS, isFresh, LEASE_MS } from './times.ts';

interface StreamGateOptions {
  readonly table: Table;
  readonly machine: Machine;
  /** The id of the instance. */
  readonly instance: string;
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<unknown>;
}

/** API Gateway ends a request after 30 s. */
const HOLD_MS = 25_000;
const LOOK_MS = 500;

/** So often EC2 is asked to start, and what it thinks of an instance that stops. */
const START_AGAIN_MS = 5000;
const LOOK_AT_STOP_MS = 2000;

/** For so long a refusal of EC2 is everybody's. */
const REFUSED_MS = 15_000;

/** What is wrong is looked into before it is told. */
const TRIES_MS = 6000;

/** A lease that is written once a minute, by whichever process comes first. */
const LEASE_WRITTEN_MS = 60_000;

/** Where uploads begin that may need a stream host that sleeps: wakes it, and lets in once it runs. docs/decisions/0024-wake.md */
export class StreamGate {
  readonly #options: StreamGateOptions;
  readonly #record: HostRecord;

  constructor(options: StreamGateOptions) {
    this.#options = options;
    this.#record = new HostRecord(options.table, options.instance);
  }

  /** Resolves at once for clients that need no stream host; else once it runs, and will for 14 minutes. Fails after 25 s with 429,
   *  and with 403 where it does not start. */
  async enter(agent: string): Promise<void> {
    const patience = patienceOf(agent);
    if (patience === undefined) return;
    const { now, wait } = this.#options;
    const arrived = now();
    for (;;) {
      const seen = await this.#step();
      if (!seen) return;
      const waited = now() - arrived;
      const failure = await this.#failureOf(seen, waited < TRIES_MS ? Number.POSITIVE_INFINITY : patience);
      if (failure) throw failure;
      if (waited >= HOLD_MS - LOOK_MS) throw streamHostStarting(now() - startOf(seen));
      await wait(LOOK_MS);
    }
  }

  /** Begins to wake it for a client that is about to push, and waits for nothing. */
  async announce(agent: string): Promise<void> {
    if (patienceOf(agent) !== undefined) await this.#step();
  }

  /** One step towards a host that runs; `undefined` where it does, with a lease. */
  async #step(): Promise<HostItem | undefined> {
    const seen = await this.#record.read();
    const now = this.#options.now();
    if (isFresh(seen, now)) return (await this.#lease(seen, now)) ? undefined : seen;
    if (this.#isStartable(seen, now)) return this.#start(seen);
    const pause = seen.state === 'starting' ? START_AGAIN_MS : LOOK_AT_STOP_MS;
    if (seen.state === 'stopped' || now - seen.calledAt < pause) return seen;
    const mine = await this.#record.change(seen, { calledAt: now });
    if (!mine) return seen;
    if (mine.state === 'starting') return this.#ask(mine);
    const isStopped = (await this.#options.machine.state()) === 'stopped';
    return isStopped ? this.#start(mine) : mine;
  }

  /** The host goes only after the end of its lease, by a write that fails where this one came first, or was read. */
  async #lease(seen: HostItem, now: number): Promise<boolean> {
    if (seen.until >= now + LEASE_MS - LEASE_WRITTEN_MS) return true;
    const until = now + LEASE_MS;
    const written = await this.#record.change(seen, { until }, [atMost('until', until)]);
    return written !== undefined;
  }

  #isStartable({ state, since, refusedAt }: HostItem, now: number): boolean {
    if (state === 'stopped') return now - refusedAt >= REFUSED_MS;
    return state === 'starting' && now - since > LONGEST_START_MS;
  }

  /** Whoever wins asks EC2. A host that has shown a sign of life meanwhile is left alone. */
  async #start(seen: HostItem): Promise<HostItem> {
    const now = this.#options.now();
    const set = {
      state: 'starting',
      since: now,
      calledAt: now,
      refusedAt: 0,
      until: Math.max(seen.until, now + LEASE_MS),
      generation: seen.generation + 1,
    } as const;
    const mine = await this.#record.change(seen, set, [equals('beat', seen.beat)]);
    return mine ? this.#ask(mine) : seen;
  }

  async #ask(mine: HostItem): Promise<HostItem> {
    const started = await this.#options.machine.start();
    if (started.is !== 'refused') return mine;
    const at = this.#options.now();
    const trouble = { trouble: `EC2 does not start it: ${started.why}`, troubleAt: at };
    const refused = { state: 'stopped', since: at, refusedAt: at, ...trouble } as const;
    return (await this.#record.change(mine, refused)) ?? mine;
  }

  /** What a client is told that has waited in vain. */
  async #failureOf(seen: HostItem, patience: number): Promise<RegistryError | undefined> {
    const now = this.#options.now();
    if (seen.state === 'stopped' && now - seen.refusedAt < REFUSED_MS) return streamHostFailed(seen.trouble);
    const waited = now - startOf(seen);
    if (waited <= patience) return undefined;
    const trouble = `it is ${seen.state} for ${Math.round(waited / 1000)} s`;
    if (seen.troubleAt <= seen.since) await this.#record.change(seen, { trouble, troubleAt: now });
    return streamHostFailed(trouble);
  }
}

/** Since when it is not what it should be. */
const startOf = ({ state, since, beat }: HostItem) => (state === 'running' ? beat + FRESH_MS : since);
