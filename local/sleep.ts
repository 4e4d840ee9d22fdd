import { setTimeout } from 'node:timers';
import type { HostLife } from '../functions/stream/life.ts';
import { BEAT_MS } from '../functions/stream/times.ts';

interface SleepOptions {
  readonly life: HostLife;
  /** Whether there was a request since this was asked last. */
  wasBusy(): boolean;
  /** Called once, when this host is to go. */
  sleep(): Promise<void>;
  tell(what: string): void;
}

/** Says every few seconds that the host is there, until nobody needs it. A table that does not answer is asked again. */
export function sleepWhenIdle({ life, wasBusy, sleep, tell }: SleepOptions): void {
  let hasBegun = false;
  const next = async () => {
    try {
      const stays = hasBegun ? await life.beat(wasBusy()) : await life.begin();
      hasBegun = true;
      if (!stays) return await sleep();
    } catch (error) {
      tell(`the table could not be told that this host is there, and is told again: ${error}`);
    }
    setTimeout(() => void next(), BEAT_MS).unref();
  };
  void next();
}
