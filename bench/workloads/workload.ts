import type { Target } from '../http/request.ts';

/** Runs `work` with the clock and the CPU counters on. Called once in a round. */
export type Measure = (work: () => Promise<unknown>) => Promise<void>;

/** One round's work, the same bytes for both servers. What is outside `measure` is not timed. */
export type RoundOfWork = (target: Target, measure: Measure) => Promise<void>;

/** What a reader is shown in place of seconds: `amount / seconds` or `seconds / amount`. */
export interface Figure {
  readonly unit: string;
  readonly of: (seconds: number) => number;
}

/** What a round asks of a machine, whoever answers: each of it takes this machine a time that `bounds.ts` measures. */
export interface Demand {
  /** Bytes that are on the disk before the answer. */
  readonly storedBytes?: number;
  /** Bytes whose SHA-256 is checked. */
  readonly hashedBytes?: number;
  /** Bytes of bodies to the server, and from it. */
  readonly receivedBytes?: number;
  readonly sentBytes?: number;
  readonly requests: number;
  /** Waits for the disk, one after the other: what many writers wait for together counts once. */
  readonly fsyncs?: number;
}

export interface Workload {
  readonly title: string;
  readonly figure: Figure;
  readonly rounds: number;
  readonly demand: Demand;
  /** What a server must hold before the first round. Once per server, not timed. */
  readonly setUp?: (target: Target) => Promise<void>;
  /** Makes data nobody has seen yet. `label` differs in every round and can be part of a name. */
  readonly makeRound: (label: string) => RoundOfWork;
}
