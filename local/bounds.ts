/** How many clients may ask at once, and how slow they may be. */
export interface Bounds {
  /** Connections that may be open. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Requests that may be under way. */
  readonly requests: number;
  readonly requestsPerAddress: number;
  /** How long a request too many waits for its turn. */
  readonly waitMs: number;
  /** How long a TLS handshake, and the head of a request, may take. */
  readonly headMs: number;
  /** How long a form, JSON or a manifest may take, and more for its size. */
  readonly formMs: number;
  /** How long a body may keep below the least pace. */
  readonly paceMs: number;
  /** How long requests may go on after SIGTERM. */
  readonly stopMs: number;
}

/** Ours. 200 jobs with ten connections each may stand behind one address, and twice as many addresses do no harm; Docker waits ten
 *  seconds before it kills what it has told to stop. */
const DEFAULTS = {
  STOWAGE_MAX_CONNECTIONS: 8192,
  STOWAGE_MAX_CONNECTIONS_PER_ADDRESS: 3072,
  STOWAGE_MAX_REQUESTS: 4096,
  STOWAGE_MAX_REQUESTS_PER_ADDRESS: 2560,
  STOWAGE_WAIT_SECONDS: 30,
  STOWAGE_HEADER_SECONDS: 30,
  STOWAGE_FORM_SECONDS: 10,
  STOWAGE_SLOW_SECONDS: 60,
  STOWAGE_STOP_SECONDS: 8,
} as const;

const MAX = 1_000_000;

/** Reads the bounds; throws with the variable's name for what is no whole number from 1 on. */
export function boundsFrom(environment: Readonly<Record<string, string | undefined>>): Bounds {
  const count = (name: keyof typeof DEFAULTS) => countFrom(name, environment[name]);
  const milliseconds = (name: keyof typeof DEFAULTS) => count(name) * 1000;
  return {
    connections: count('STOWAGE_MAX_CONNECTIONS'),
    connectionsPerAddress: count('STOWAGE_MAX_CONNECTIONS_PER_ADDRESS'),
    requests: count('STOWAGE_MAX_REQUESTS'),
    requestsPerAddress: count('STOWAGE_MAX_REQUESTS_PER_ADDRESS'),
    waitMs: milliseconds('STOWAGE_WAIT_SECONDS'),
    headMs: milliseconds('STOWAGE_HEADER_SECONDS'),
    formMs: milliseconds('STOWAGE_FORM_SECONDS'),
    paceMs: milliseconds('STOWAGE_SLOW_SECONDS'),
    stopMs: milliseconds('STOWAGE_STOP_SECONDS'),
  };
}

function countFrom(name: keyof typeof DEFAULTS, text: string | undefined): number {
  if (!text) return DEFAULTS[name];
  const count = Number(text);
  if (/^\d+$/.test(text) && count > 0 && count <= MAX) return count;
  throw new Error(`${name} is not a whole number from 1 to ${MAX}: ${JSON.stringify(text)}`);
}
