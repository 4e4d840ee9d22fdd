import type { SecretText } from './secret-keys.ts';

/** What the front door proves itself with. */
interface FrontSecret {
  /** Which rotation it was made for. */
  readonly rotation: string;
  /** 32 random bytes in base64url. */
  readonly secret: string;
}

/** The one in force and the one before: while a front door learns of a new one, it proves itself with either. */
const KEPT = 2;

export interface FrontSecrets {
  /** The one that was made for the rotation asked for. */
  readonly secret: string;
  /** That one first, and the one before. */
  readonly accepted: readonly string[];
  readonly isNew: boolean;
}

/** The secrets for a rotation, which has any name, and makes a new one where it has not been asked for of late. So a
 *  repetition changes nothing, and a return to the rotation before returns to its secret. */
export async function frontSecretsFor(
  kept: SecretText,
  rotation: string,
  signal?: AbortSignal,
): Promise<FrontSecrets> {
  const text = await kept.read();
  const found = text === undefined ? [] : decode(text);
  const known = found.find((each) => each.rotation === rotation);
  const first = known ?? newFrontSecret(rotation);
  const secrets = [first, ...found.filter((each) => each !== known)].slice(0, KEPT);
  const next = JSON.stringify({ secrets });
  if (text === undefined && !(await kept.create(next, signal))) {
    return frontSecretsFor(kept, rotation, signal);
  }
  if (text !== undefined && first !== found[0]) await kept.replace(next, signal);
  return { secret: first.secret, accepted: secrets.map(({ secret }) => secret), isNew: !known };
}

function newFrontSecret(rotation: string): FrontSecret {
  const random = crypto.getRandomValues(new Uint8Array(32));
  return { rotation, secret: Buffer.from(random).toString('base64url') };
}

function decode(text: string): readonly FrontSecret[] {
  try {
    const { secrets } = JSON.parse(text) as { secrets: readonly FrontSecret[] };
    const isWhole = ({ rotation, secret }: FrontSecret) =>
      typeof rotation === 'string' && Buffer.from(secret, 'base64url').length === 32;
    if (secrets.length > 0 && secrets.every(isWhole)) return secrets;
  } catch {
    // Told below: the parser's own message would quote the secret.
  }
  throw new Error("the front door's secret is not readable");
}
