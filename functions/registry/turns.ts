/** Who goes next in one process, by the name of what they change. Whoever has lost takes a turn, in the order of their asking: meanwhile nobody
 *  begins, so that many who push do not keep out for ever the one who deletes. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Until nobody has a turn, or waits for one. */
  async free(name: string): Promise<void> {
    for (let last = this.#last.get(name); last; last = this.#last.get(name)) await last;
  }

  /** Once all who asked before have had theirs; ends with what is returned. */
  async take(name: string): Promise<() => void> {
    const before = this.#last.get(name);
    const turn = Promise.withResolvers<void>();
    this.#last.set(name, turn.promise);
    await before;
    return () => {
      if (this.#last.get(name) === turn.promise) this.#last.delete(name);
      turn.resolve();
    };
  }
}
