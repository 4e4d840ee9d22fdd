import type { Random } from './random.ts';

/** What the scheduler does next. All zeros is the tamest run there is: whoever runs goes on, and nothing fails. */
export interface Choice {
  /** 0: whoever went last; else the call that waits at this place, from 1, counted around. */
  readonly who: number;
  readonly what: What;
}

/** What becomes of the call, or happens just before it. */
export type What = (typeof WHAT)[number];

export const WHAT = [
  'done',
  'crash before it',
  'crash after it',
  'answer lost',
  'busy',
  'in two',
  'ten minutes later',
  'an hour later',
  'a day later',
  'nine days later',
  'expired items vanish',
] as const;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Milliseconds that go by before the call. */
export const DELAYS: Partial<Record<What, number>> = {
  'ten minutes later': 10 * MINUTE,
  'an hour later': HOUR + 1,
  'a day later': DAY + 1,
  'nine days later': 9 * DAY,
};

/** Decides until nobody waits any more. */
export interface Choices {
  next(): Choice;
}

/** Takes a way through the run by chance, and remembers it. How long one goes on before another does, and how much fails,
 *  differs from run to run: some races take long pauses of one party, some a step each. */
export class RandomChoices implements Choices {
  readonly taken: Choice[] = [];
  readonly #random: Random;
  readonly #persistence: number;
  readonly #trouble: number;

  constructor(random: Random) {
    this.#random = random;
    this.#persistence = random.pick([0, 0.5, 0.8, 0.9, 0.95]);
    this.#trouble = random.pick([0, 0, 0.01, 0.03]);
  }

  next(): Choice {
    const random = this.#random;
    const who = random.chance(this.#persistence) ? 0 : 1 + random.below(64);
    const what = random.chance(this.#trouble) ? random.pick(WHAT) : 'done';
    const choice = { who, what };
    this.taken.push(choice);
    return choice;
  }
}

const TAME: Choice = { who: 0, what: 'done' };

/** Takes the same way again; past its end, the tamest. */
export class SameChoices implements Choices {
  readonly #choices: readonly Choice[];
  #next = 0;

  constructor(choices: readonly Choice[]) {
    this.#choices = choices;
  }

  next(): Choice {
    const choice = this.#choices[this.#next] ?? TAME;
    this.#next += 1;
    return choice;
  }
}
