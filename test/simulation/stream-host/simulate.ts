import { RegistryError } from '../../../functions/oci/errors.ts';
import { StreamGate } from '../../../functions/stream/gate.ts';
import { HostLife } from '../../../functions/stream/life.ts';
import { RECONCILE_MINUTES, reconcile } from '../../../functions/stream/reconcile.ts';
import { BEAT_MS, FRESH_MS } from '../../../functions/stream/times.ts';
import { Random } from '../random.ts';
import { type Alter, Crash, Items, Machines, Process } from './parts.ts';
import { VirtualTime } from './virtual-time.ts';

const MINUTE_MS = 60_000;

/** How long clients come and anything may crash. */
const BUSY_MINUTES = 90;

/** After the last of that, no instance may be left running. */
const SILENCE_MINUTES = 45;

/** What an upload that was let in may count on: less than the lease, which is written once a minute. */
const PROMISED_MS = 14 * MINUTE_MS;

/** systemd waits so long before it starts a service again. */
const RESTART_MS = 2000;

const AGENTS = ['docker/28.5.2 go/go1.24', 'containers/5.8 (github.com/containers/image)', 'crane/0.20.7'];
const INSTANCE = 'i-simulated';

export interface Outcome {
  readonly violations: readonly string[];
  /** Uploads that were let in. */
  readonly admitted: number;
  readonly boots: number;
  readonly crashes: number;
}

/** One evening of a stream host: clients, the host and the job that looks after it, each of which may end at any of its writes, and a
 *  system that may hang. */
export async function simulate(seed: number, alter: Alter = (_, operation) => operation): Promise<Outcome> {
  const evening = new Evening(seed, alter);
  return evening.run();
}

/** Whether a client gives up; throws what is none of the answers that it may get. */
function isFinal(error: unknown): boolean {
  if (error instanceof Crash) return false;
  if (error instanceof RegistryError) return error.status === 403;
  throw error;
}

class Evening {
  readonly #time = new VirtualTime();
  readonly #random: Random;
  readonly #items: Items;
  readonly #machines: Machines;
  readonly #violations: string[] = [];
  readonly #admitted: number[] = [];
  #crashes = 0;
  #boots = 0;
  #isQuiet = false;
  #lastCrash = 0;
  /** The service on the machine, while that has power. */
  #service: Process | undefined;
  #isHung = false;
  /** When the service last worked. */
  #workedAt = 0;
  #uploadsUntil = 0;
  /** When a client last asked for anything. */
  #askedAt = 0;
  readonly #crashiness: number;

  constructor(seed: number, alter: Alter) {
    this.#random = new Random(seed);
    this.#crashiness = this.#random.pick([0, 0.0005, 0.01, 0.1]);
    const surroundings = { time: this.#time, random: this.#random };
    this.#items = new Items(surroundings, alter);
    this.#machines = new Machines(surroundings, {
      powerOn: () => this.#powerOn(),
      powerOff: (why) => this.#powerOff(why),
    });
  }

  async run(): Promise<Outcome> {
    void this.#reconcileRegularly();
    void this.#hangNowAndThen();
    const clients = 1 + this.#random.below(12);
    for (let count = 0; count < clients; count += 1) void this.#client();
    await this.#time.run(BUSY_MINUTES * MINUTE_MS);
    this.#isQuiet = true;
    await this.#time.run(10 * MINUTE_MS); // the last clients end
    const since = Math.max(this.#uploadsUntil, this.#lastCrash, this.#askedAt);
    await this.#time.run(Math.max(0, since + SILENCE_MINUTES * MINUTE_MS - this.#time.now));
    if (this.#machines.state !== 'stopped')
      this.#violations.push(
        `the instance is ${this.#machines.state} after ${SILENCE_MINUTES} minutes of silence`,
      );
    return {
      violations: this.#violations,
      admitted: this.#admitted.length,
      boots: this.#boots,
      crashes: this.#crashes,
    };
  }

  #process(name: string): Process {
    return new Process(name, () => {
      const crashes = !this.#isQuiet && this.#random.chance(this.#crashiness);
      if (crashes) {
        this.#crashes += 1;
        this.#lastCrash = this.#time.now;
      }
      return crashes;
    });
  }

  async #client(): Promise<void> {
    const { wait, now } = this.#clock;
    await wait(this.#random.below(BUSY_MINUTES * MINUTE_MS));
    const agent = this.#random.pick(AGENTS);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const process = this.#process('gate');
      const parts = { table: this.#items.of(process), machine: this.#machines.of(process) };
      const gate = new StreamGate({ ...parts, instance: INSTANCE, now, wait });
      const isAnnounced = attempt === 0 && this.#random.chance(0.5);
      try {
        if (isAnnounced) await gate.announce(agent);
        await gate.enter(agent);
        return this.#admit();
      } catch (error) {
        this.#askedAt = now();
        if (isFinal(error)) return;
      }
      await wait(1000);
    }
  }

  /** Let in: there is a host, or has been one a moment ago; and an upload that takes its time. */
  #admit(): void {
    const { now } = this.#time;
    this.#admitted.push(now);
    this.#askedAt = now;
    if (now - this.#workedAt > FRESH_MS + 10_000) this.#violations.push('let in where no host works');
    this.#uploadsUntil = Math.max(this.#uploadsUntil, now + this.#random.below(20 * MINUTE_MS));
  }

  #powerOn(): void {
    this.#boots += 1;
    this.#isHung = this.#random.chance(0.05);
    void this.#serve();
  }

  /** By its own will, or by the job's, no host that works goes under an upload that was promised one. */
  #powerOff(why: string): void {
    const { now } = this.#time;
    const isBroken = this.#isHung || now - this.#workedAt > 2 * BEAT_MS;
    const promised = this.#admitted.some((at) => now - at < PROMISED_MS);
    if (promised && !isBroken) this.#violations.push(`stopped by ${why} under an upload that was let in`);
    if (this.#service) this.#service.isDead = true;
    this.#service = undefined;
  }

  /** The unit of systemd: a service that is started again whenever it ends, until it has the machine switched off. */
  async #serve(): Promise<void> {
    const before = this.#service;
    if (before) before.isDead = true;
    for (;;) {
      const service = this.#process('host');
      this.#service = service;
      const stays = await this.#live(service).catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error;
        return true;
      });
      if (this.#service !== service) return;
      if (!stays) return this.#machines.off('itself');
      await this.#time.wait(RESTART_MS);
      if (this.#service !== service) return;
    }
  }

  async #live(service: Process): Promise<boolean> {
    const { now, wait } = this.#clock;
    const life = new HostLife({ table: this.#items.of(service), instance: INSTANCE, now });
    let stays = true;
    for (let hasBegun = false; stays; hasBegun = true) {
      if (this.#isHung) await wait(365 * 24 * 60 * MINUTE_MS);
      this.#workedAt = now();
      stays = hasBegun ? await life.beat(now() < this.#uploadsUntil) : await life.begin();
      this.#workedAt = now();
      if (stays) await wait(BEAT_MS);
    }
    service.step(); // before it can say that it goes
    return false;
  }

  async #reconcileRegularly(): Promise<void> {
    for (;;) {
      await this.#time.wait(RECONCILE_MINUTES * MINUTE_MS);
      const process = this.#process('job');
      const parts = { table: this.#items.of(process), machine: this.#machines.of(process) };
      void reconcile({ ...parts, instance: INSTANCE, now: this.#clock.now }).catch(() => undefined);
    }
  }

  async #hangNowAndThen(): Promise<void> {
    while (!this.#isQuiet) {
      await this.#time.wait(this.#random.below(180 * MINUTE_MS));
      if (this.#isQuiet || !this.#service) continue;
      this.#isHung = true;
      this.#lastCrash = this.#time.now;
    }
  }

  readonly #clock = {
    now: () => this.#time.now,
    wait: (milliseconds: number) => this.#time.wait(milliseconds),
  };
}
