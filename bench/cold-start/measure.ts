import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Subject } from './subjects.ts';

/** Rounds that count; one before them does not, and brings all files into the page cache. */
export const ROUNDS = 20;

/** One new process, in milliseconds. */
export interface Start {
  /** From the spawn to the first line that runs. */
  readonly boot: number;
  /** Reading, compiling and running the bundle's modules. */
  readonly load: number;
  readonly answer: number;
  readonly total: number;
}

/** A subject, and the bundle made of its entry. */
export interface Candidate {
  readonly subject: Subject;
  readonly bundle: string;
}

interface Marks {
  readonly began: string;
  readonly imported: string;
  readonly answered: string;
  readonly statusCode: number;
}

/** Starts each candidate `ROUNDS` times. They take turns, so that what slows the machine for a while slows all. */
export async function measure(
  candidates: readonly Candidate[],
  root: string,
  environment: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<Candidate, readonly Start[]>> {
  const starts = new Map(candidates.map((candidate) => [candidate, [] as Start[]]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [candidate, of] of starts) {
      const start = await startOnce(candidate, root, environment);
      if (round > 0) of.push(start);
    }
  }
  return starts;
}

async function startOnce(
  { subject, bundle }: Candidate,
  root: string,
  environment: Readonly<Record<string, string>>,
): Promise<Start> {
  const runner = join(import.meta.dirname, 'run.mjs');
  const args = [runner, bundle, JSON.stringify(subject.event)];
  const before = process.hrtime.bigint();
  const child = spawn(join(root, 'node_modules/.bin/node'), args, {
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const [said] = await Promise.all([text(child.stdio[3] as Readable), once(child, 'close')]);
  if (said === '') throw new Error(`${subject.title}: the process ended without an answer`);
  const { began, imported, answered, statusCode } = JSON.parse(said) as Marks;
  if (statusCode !== subject.status) throw new Error(`${subject.title}: answered ${statusCode}`);
  return {
    boot: milliseconds(before, BigInt(began)),
    load: milliseconds(BigInt(began), BigInt(imported)),
    answer: milliseconds(BigInt(imported), BigInt(answered)),
    total: milliseconds(before, BigInt(answered)),
  };
}

const milliseconds = (from: bigint, to: bigint) => Number(to - from) / 1e6;
