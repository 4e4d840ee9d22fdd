import { createHmac, randomBytes } from 'node:crypto';
import type { PasswordOutcome } from './attempts.ts';
import type { User } from './users.ts';

/** Ours: for so long a password that was right need not be derived again. A new password or a disabled user is
 *  noticed at once: both are read each time. */
const REMEMBERED_MS = 5 * 60_000;
const MAX_REMEMBERED = 1000;

/** Remembers in this process which passwords were right of late, as MACs under a key that nobody else has. */
export class PasswordMemory {
  readonly #key = randomBytes(32);
  readonly #until = new Map<string, number>();
  readonly #tried = new Map<string, Promise<PasswordOutcome>>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  knows(user: User, password: string): boolean {
    return (this.#until.get(this.#macOf(user, password)) ?? 0) > this.#now();
  }

  remember(user: User, password: string): void {
    const mac = this.#macOf(user, password);
    this.#until.delete(mac);
    this.#until.set(mac, this.#now() + REMEMBERED_MS);
    const [eldest] = this.#until.keys();
    if (this.#until.size > MAX_REMEMBERED && eldest !== undefined) this.#until.delete(eldest);
  }

  /** The outcome of `tryIt`, or of that which is under way with the same password from the same address. */
  once(
    user: User,
    password: string,
    address: string,
    tryIt: () => Promise<PasswordOutcome>,
  ): Promise<PasswordOutcome> {
    const key = `${this.#macOf(user, password)} ${address}`;
    const outcome = this.#tried.get(key) ?? tryIt().finally(() => this.#tried.delete(key));
    this.#tried.set(key, outcome);
    return outcome;
  }

  #macOf({ subject, stamp }: User, password: string): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([subject, stamp, password]))
      .digest('base64');
  }
}
