/** A secret that access tokens are signed with (HS256). */
export interface SigningKey {
  /** The `kid` of the tokens it signs. */
  readonly id: string;
  /** 32 random bytes. */
  readonly secret: Uint8Array;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** The keys that tokens are verified with, newest first; never empty. */
export type KeyRing = readonly SigningKey[];

/** Where the ring is kept. Both read it anew at times, so that a rotation by somebody else is seen. */
export interface KeySource {
  /** The ring, at most a few minutes old. */
  keys(): Promise<KeyRing>;
  /** The ring as it is now, for a token whose key id is unknown; no more often than every few seconds. */
  reload(): Promise<KeyRing>;
}

/** Ours: for so long a new key verifies only. Meanwhile every process and edge learns of it. */
export const KEY_ACTIVATION_MS = 10 * 60_000;

/** Ours: a key signs for a month. */
export const KEY_ROTATION_MS = 30 * 24 * 60 * 60_000;

/** The two newest keys verify: the one that signs, and the one that did before or will next. */
const RING_SIZE = 2;

/** A key of the system's own randomness. */
export function newSigningKey(now: number): SigningKey {
  const random = crypto.getRandomValues(new Uint8Array(40));
  return {
    id: Buffer.from(random.subarray(32)).toString('hex'),
    secret: random.subarray(0, 32),
    createdAt: now,
  };
}

/** The ring with `key` in front; whatever its oldest key signed is at an end. Two rotations must be at least
 *  `KEY_ACTIVATION_MS` and a token's lifetime apart. */
export function rotated(ring: KeyRing | undefined, key: SigningKey): KeyRing {
  return [key, ...(ring ?? [])].slice(0, RING_SIZE);
}

/** Whether it is time for a new key: there is none, or the newest is older than a month. */
export function isRotationDue(ring: KeyRing | undefined, now: number): boolean {
  const [newest] = ring ?? [];
  return newest === undefined || newest.createdAt + KEY_ROTATION_MS <= now;
}

/** The key to sign with: the newest that everybody knows, or the only one. */
export function activeKey(ring: KeyRing, now: number): SigningKey {
  const known = ring.find(({ createdAt }) => createdAt + KEY_ACTIVATION_MS <= now) ?? ring.at(-1);
  if (!known) throw new Error('there is no signing key');
  return known;
}

/** The ring as JSON text, for wherever secrets are kept. */
export function encodeKeyRing(ring: KeyRing): string {
  const keys = ring.map(({ id, secret, createdAt }) => ({
    id,
    secret: Buffer.from(secret).toString('base64url'),
    createdAt,
  }));
  return JSON.stringify({ keys });
}

/** Reads what `encodeKeyRing` wrote; throws for anything else, without quoting it. */
export function decodeKeyRing(text: string): KeyRing {
  try {
    const { keys } = JSON.parse(text) as {
      keys: readonly { id: string; secret: string; createdAt: number }[];
    };
    const ring = keys.map((key) => ({ ...key, secret: Buffer.from(key.secret, 'base64url') }));
    if (ring.length > 0 && ring.every(({ secret }) => secret.length === 32)) return ring;
  } catch {
    // Told below: the parser's own message would quote the secret.
  }
  throw new Error('the signing keys are not readable');
}
