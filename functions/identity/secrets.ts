import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a generated secret is for; its first letters say so, to people and to scanners of leaked secrets. */
const PREFIXES = {
  token: 'stow_pat',
  robot: 'stow_robot',
  refresh: 'stow_refresh',
  session: 'stow_session',
} as const;
type SecretKind = keyof typeof PREFIXES;

/** A secret as it is shown, once: `stow_pat_<id>_<256 random bits>`. */
export interface NewSecret {
  /** Public: names the secret in lists and logs. */
  readonly id: string;
  readonly text: string;
  /** What is kept of it. With 256 random bits behind it there is nothing to guess, so one SHA-256 is enough. */
  readonly hash: Uint8Array;
}

const PATTERN = /^(stow_[a-z]+)_([0-9a-f]{16})_([0-9a-f]{64})$/;

export function newSecret(kind: SecretKind): NewSecret {
  const id = randomBytes(8).toString('hex');
  const text = `${PREFIXES[kind]}_${id}_${randomBytes(32).toString('hex')}`;
  return { id, text, hash: hashOf(text) };
}

/** A secret that somebody has made; `undefined` where it is none of this kind. */
export function givenSecret(kind: SecretKind, text: string): NewSecret | undefined {
  const id = idOfSecret(kind, text);
  return id === undefined ? undefined : { id, text, hash: hashOf(text) };
}

/** The id in a secret of this kind; `undefined` where the text is none. */
export function idOfSecret(kind: SecretKind, text: string): string | undefined {
  const [, prefix, id] = PATTERN.exec(text) ?? [];
  return prefix === PREFIXES[kind] ? id : undefined;
}

/** Whether the text is the secret whose hash was kept, in constant time. */
export function isSecret(text: string, hash: Uint8Array | undefined): boolean {
  const actual = hashOf(text);
  const same = timingSafeEqual(actual, hash ?? Buffer.alloc(actual.length));
  return same && hash !== undefined;
}

function hashOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
