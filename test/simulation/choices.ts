import type { Random } from './random.ts';

/** What the scheduler does next. All zeros is the tamest run there is: whoever runs goes on, and nothing fails. */
export interface Choice {
  /** 0: whoever went last; else the actor of this number, from 1, or the next that has a call waiting. */
  readonly who: number;
  readonly what: What;
}

/** What becomes of the call, or happens just before it. */
export type What = (typeof WHAT)[number];

const WHAT = [
  'done',
  'crash before it',
  'crash after it',
  'power cut before it',
  'power cut after it',
  'answer lost',
  'fails',
  'busy',
  'in two',
  'sent twice',
  'again, and late',
  'its client gives up',
  'its clock goes back',
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

/** More actors than any plan has. */
export const MAX_ACTORS = 8;

/** Takes a way through the run by chance, and remembers it. Some actors are slow for a while, so that much happens within a
 *  step of theirs; who is slow changes. How much fails differs from run to run, and in some it is always the same. */
export class RandomChoices implements Choices {
  readonly taken: Choice[] = [];
  readonly #random: Random;
  readonly #persistence: number;
  readonly #trouble: number;
  readonly #slow: number;
  readonly #speed: number;
  readonly #change: number;
  readonly #troubles: readonly What[];
  #weights: readonly number[] = [];

  constructor(random: Random) {
    this.#random = random;
    this.#persistence = random.pick([0, 0.3, 0.7, 0.9]);
    const hasFew = random.chance(0.4);
    this.#troubles = hasFew ? [random.pick(WHAT), random.pick(WHAT)] : WHAT;
    this.#trouble = hasFew ? random.pick([0.02, 0.05, 0.1]) : random.pick([0, 0, 0.01, 0.03]);
    this.#slow = random.pick([0.2, 0.5, 0.8]);
    this.#speed = random.pick([100, 300]);
    this.#change = 1 / random.pick([10, 30, 100, 300]);
  }

  next(): Choice {
    const random = this.#random;
    if (this.#weights.length === 0 || random.chance(this.#change)) this.#weights = this.#anew();
    const who = random.chance(this.#persistence) ? 0 : this.#actor();
    const what = random.chance(this.#trouble) ? random.pick(this.#troubles) : 'done';
    const choice = { who, what };
    this.taken.push(choice);
    return choice;
  }

  #anew(): readonly number[] {
    return Array.from({ length: MAX_ACTORS }, () => (this.#random.chance(this.#slow) ? 1 : this.#speed));
  }

  #actor(): number {
    let left = this.#random.below(this.#weights.reduce((sum, weight) => sum + weight, 0));
    const index = this.#weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    return index + 1;
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
