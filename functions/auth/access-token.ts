import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import { ACCESS_TOKEN_SECONDS } from '../limits.ts';
import { activeKey, type KeyRing, type KeySource } from './signing-keys.ts';
import { type AccessToken, accessTokenIn } from './token-claims.ts';

export type VerifyOutcome =
  | { readonly is: 'valid'; readonly token: AccessToken }
  | { readonly is: 'expired' | 'invalid' };

/** Clocks of two of our own machines differ by less. */
const CLOCK_TOLERANCE_SECONDS = 5;

/** Signs and verifies the bearer tokens of one registry (JWT, HS256, key ids). */
export class AccessTokens {
  readonly #keys: KeySource;
  readonly #service: string;
  readonly #now: () => number;
  readonly #newId: () => string;

  constructor(options: { keys: KeySource; service: string; now: () => number; newId: () => string }) {
    this.#keys = options.keys;
    this.#service = options.service;
    this.#now = options.now;
    this.#newId = options.newId;
  }

  /** A token that is good for `ACCESS_TOKEN_SECONDS`, and when it was issued, in milliseconds. */
  async issue({
    principal,
    credential,
    access,
    grants,
    beyond,
  }: AccessToken): Promise<{ text: string; issuedAt: number }> {
    const issuedAt = this.#now();
    const seconds = Math.floor(issuedAt / 1000);
    const { id, secret } = activeKey(await this.#keys.keys(), issuedAt);
    const text = await new SignJWT({
      access,
      cred: credential,
      ...(grants && { grants }),
      ...(beyond && { beyond }),
    })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: id })
      .setIssuer(this.#service)
      .setAudience(this.#service)
      .setSubject(principal)
      .setIssuedAt(seconds)
      .setNotBefore(seconds)
      .setExpirationTime(seconds + ACCESS_TOKEN_SECONDS)
      .setJti(this.#newId())
      .sign(secret);
    return { text, issuedAt };
  }

  /** What the token says, where this registry has signed it, for itself, of late. */
  async verify(text: string): Promise<VerifyOutcome> {
    try {
      const { payload } = await jwtVerify(text, await this.#secretFor(text), {
        algorithms: ['HS256'],
        issuer: this.#service,
        audience: this.#service,
        requiredClaims: ['exp', 'iat', 'nbf'],
        // Whatever a token says of its own end.
        maxTokenAge: ACCESS_TOKEN_SECONDS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(this.#now()),
      });
      const token = accessTokenIn(payload);
      return token ? { is: 'valid', token } : { is: 'invalid' };
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { is: 'expired' };
      if (error instanceof errors.JOSEError) return { is: 'invalid' };
      throw error;
    }
  }

  /** A key that was rotated in elsewhere is looked up once more before the token is refused. */
  async #secretFor(text: string): Promise<Uint8Array> {
    const id = keyIdOf(text);
    const find = (ring: KeyRing) => ring.find((key) => key.id === id);
    const key = find(await this.#keys.keys()) ?? find(await this.#keys.reload());
    if (!key) throw new errors.JWSInvalid('unknown key id');
    return key.secret;
  }
}

function keyIdOf(text: string): string | undefined {
  try {
    return decodeProtectedHeader(text).kid;
  } catch {
    throw new errors.JWSInvalid('not a token');
  }
}
