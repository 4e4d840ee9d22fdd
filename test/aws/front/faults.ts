import type { IncomingMessage } from 'node:http';

/** Ways in which a deployment misbehaves, for `stowage doctor` to find. Each is off, on, or a number of what it says. */
export const FAULTS = {
  /** WWW-Authenticate reaches clients under another name. */
  'challenge-renamed': 'flag',
  /** Answers to HEAD say that there are 0 bytes. */
  'head-length-zero': 'flag',
  /** S3 takes any bytes for a digest. */
  'checksum-ignored': 'flag',
  /** A second PUT replaces the object of the first. */
  'no-if-none-match': 'flag',
  /** S3's answer to an upload reaches the client as S3 worded it. */
  'viewer-response-missing': 'flag',
  /** Bodies of unknown length are answered 501. */
  'chunked-refused': 'flag',
  /** Bodies of more bytes than this are answered 413. */
  'large-put-refused': 'number',
  /** Nobody tells the registry of objects in S3. */
  'events-lost': 'flag',
  /** It is told so many milliseconds later. */
  'events-delayed': 'number',
  /** The front door's clock is so many milliseconds ahead. */
  'clock-skewed': 'number',
  /** Downloads give the whole blob, whatever range was asked for. */
  'redirect-without-range': 'flag',
  /** Nobody listens where downloads are sent to. */
  'redirect-broken': 'flag',
  /** The front door has other keys than the registry. */
  'tokens-not-rotated': 'flag',
  'edge-keys-stale': 'flag',
  /** Location names another host. */
  'location-absolute': 'flag',
  /** PATCH is answered with a redirect. */
  'patch-redirected': 'flag',
  /** The first request of each method and path to the API is answered by the gateway alone: for its own limit, for want of
   *  executions of Lambda, after the function has run for too long, and as a body that is too large. */
  'gateway-429': 'flag',
  'gateway-503': 'flag',
  'gateway-504': 'flag',
  'gateway-413': 'flag',
  /** It is answered with CloudFront's page. */
  'front-503': 'flag',
  /** The API answers without the front door's secret. */
  'origin-open': 'flag',
} as const;

export type FaultName = keyof typeof FAULTS;

type Setting = boolean | number;

/** What a number stands for that is just switched on. */
const USUAL: Partial<Record<FaultName, number>> = {
  'large-put-refused': 100_000_000,
  'events-delayed': 60_000,
  'clock-skewed': 20 * 60_000,
};

/** The faults that are on. */
export class Faults {
  readonly #on = new Map<FaultName, Setting>();
  readonly #met = new Set<string>();

  has(name: FaultName): boolean {
    return this.#on.has(name);
  }

  /** The number of a fault that is on. */
  number(name: FaultName): number | undefined {
    const setting = this.#on.get(name);
    return setting === true ? USUAL[name] : (setting as number | undefined);
  }

  /** Whether a fault is on, and meets this request for the first time since faults were changed; to whichever upload. */
  isFirst(name: FaultName, { method, url = '/' }: Pick<IncomingMessage, 'method' | 'url'>): boolean {
    const path = url.replace(/\?.*/, '').replace(/\/uploads\/.+/, '/uploads/one');
    const met = `${name} ${method} ${path}`;
    if (!this.has(name) || this.#met.has(met)) return false;
    this.#met.add(met);
    return true;
  }

  list(): Readonly<Partial<Record<FaultName, Setting>>> {
    return Object.fromEntries(this.#on);
  }

  /** `false` switches a fault off; throws for what is none, and changes nothing then. */
  set(wanted: Readonly<Record<string, unknown>>): void {
    const settings = Object.entries(wanted).map(
      ([name, value]) => [named(name), settingOf(name, value)] as const,
    );
    this.#met.clear();
    for (const [name, setting] of settings) {
      if (setting === false) this.#on.delete(name);
      else this.#on.set(name, setting);
    }
  }
}

function named(name: string): FaultName {
  if (Object.hasOwn(FAULTS, name)) return name as FaultName;
  throw new Error(`there is no fault ${name}; there are ${Object.keys(FAULTS).join(', ')}`);
}

function settingOf(name: string, value: unknown): Setting {
  if (typeof value === 'boolean') return value;
  if (FAULTS[named(name)] === 'number' && Number.isFinite(value)) return value as number;
  throw new Error(`${name} is on or off, or a number where it is one: ${JSON.stringify(value)}`);
}
