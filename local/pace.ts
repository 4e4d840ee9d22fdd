/** A body on its way. */
export interface Paced {
  /** Bytes of it that have come. */
  readonly received: number;
  /** Whether its client is waited for; else the client waits. */
  readonly isWanted: boolean;
  cut(): void;
}

interface Window {
  since: number;
  from: number;
}

/** Ours: any line that images are pushed over is faster. */
const LEAST_BYTES_PER_SECOND = 1024;

/** How often all are looked at within a window. */
const LOOKS = 6;

/** Cuts bodies of which too little comes: for `windowMs` less than a pace that any line keeps. The time in which a client waits for the
 *  registry does not count. */
export class Pace {
  readonly #windowMs: number;
  readonly #windows = new Map<Paced, Window>();
  readonly #timer: NodeJS.Timeout;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.#timer = setInterval(() => this.#look(), windowMs / LOOKS).unref();
  }

  watch(body: Paced): void {
    this.#windows.set(body, { since: performance.now(), from: body.received });
  }

  forget(body: Paced): void {
    this.#windows.delete(body);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const least = (LEAST_BYTES_PER_SECOND * this.#windowMs) / 1000;
    for (const [body, window] of this.#windows) {
      const isOnPace = body.received - window.from >= least;
      if (isOnPace || !body.isWanted) Object.assign(window, { since: now, from: body.received });
      else if (now - window.since >= this.#windowMs) body.cut();
    }
  }
}
