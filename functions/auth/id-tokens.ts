import { createRemoteJWKSet, customFetch, decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { grantsFor, type Issuer, listIssuers } from '../identity/issuers.ts';
import type { WorkloadOutcome, WorkloadVerifier } from '../identity/workload.ts';
import type { Registry } from '../registry/registry.ts';

type Fetch = typeof fetch;
type KeySet = ReturnType<typeof createRemoteJWKSet>;

/** Public keys only: a shared secret or no signature proves nothing here. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** Ours: an ID token of a CI job lives for minutes; whatever it says itself, an old one is none. */
const MAX_AGE_SECONDS = 60 * 60;
const CLOCK_TOLERANCE_SECONDS = 30;

/** Ours: a login must not wait for a provider that hangs. */
const TIMEOUT_MS = 5000;

/** Ours: keys are fetched again after an hour, and for an unknown key id no more than twice a minute. */
const KEYS_CACHED_MS = 60 * 60_000;
const KEYS_COOLDOWN_MS = 30_000;

/** Verifies ID tokens by the keys their issuers publish, which it caches.
 *  https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation */
export class IdTokenVerifier implements WorkloadVerifier {
  readonly #keySets = new Map<string, { readonly keys: Promise<KeySet>; readonly until: number }>();
  readonly #fetch: Fetch;

  constructor(options: { readonly fetch?: Fetch } = {}) {
    this.#fetch = options.fetch ?? fetch;
  }

  async verify(registry: Registry, idToken: string): Promise<WorkloadOutcome> {
    const claimed = claimsOf(idToken);
    if (!claimed) return refused('the password is not an ID token');
    const candidates = (await listIssuers(registry)).filter(({ issuer }) => issuer === claimed.iss);
    if (candidates.length === 0) return refused('the issuer of the ID token is not trusted here');
    let outcome: WorkloadOutcome = refused('the issuer of the ID token is not trusted here');
    for (const issuer of candidates) {
      outcome = await this.#verifyFor(issuer, idToken, registry.now());
      if (outcome.is === 'known') return outcome;
    }
    return outcome;
  }

  async #verifyFor(issuer: Issuer, idToken: string, now: number): Promise<WorkloadOutcome> {
    try {
      const keys = await this.#keysOf(issuer.issuer, now);
      const { payload } = await jwtVerify(idToken, keys, {
        algorithms: ALGORITHMS,
        issuer: issuer.issuer,
        audience: issuer.audience,
        requiredClaims: ['sub', 'exp', 'iat'],
        maxTokenAge: MAX_AGE_SECONDS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(now),
      });
      const grants = grantsFor(issuer, payload);
      if (grants.length === 0) return refused('no rule of this registry fits the claims of the ID token');
      const subject = payload.sub ?? '';
      return { is: 'known', workload: { issuer: issuer.name, stamp: issuer.stamp, subject, grants } };
    } catch (error) {
      return refused(reasonOf(error));
    }
  }

  /** The issuer's key set; a failure to find it is not kept. */
  #keysOf(issuer: string, now: number): Promise<KeySet> {
    const known = this.#keySets.get(issuer);
    if (known && known.until > now) return known.keys;
    const keys = this.#discover(issuer);
    this.#keySets.set(issuer, { keys, until: now + KEYS_CACHED_MS });
    keys.catch(() => this.#keySets.delete(issuer));
    return keys;
  }

  /** https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
  async #discover(issuer: string): Promise<KeySet> {
    const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    if (!isTrustworthy(url)) throw new IssuerUnreachable();
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await this.#fetch(url, { signal, redirect: 'error' });
    const document: unknown = response.ok ? await response.json() : undefined;
    const { issuer: named, jwks_uri: keysUrl } = (document ?? {}) as Record<string, unknown>;
    if (named !== issuer || typeof keysUrl !== 'string' || !URL.canParse(keysUrl))
      throw new IssuerUnreachable();
    if (!isTrustworthy(new URL(keysUrl))) throw new IssuerUnreachable();
    return createRemoteJWKSet(new URL(keysUrl), {
      timeoutDuration: TIMEOUT_MS,
      cacheMaxAge: KEYS_CACHED_MS,
      cooldownDuration: KEYS_COOLDOWN_MS,
      [customFetch]: this.#fetch,
    });
  }
}

class IssuerUnreachable extends Error {
  override readonly name = 'IssuerUnreachable';
}

/** Keys that came over a line where others can write prove nothing. */
export const isTrustworthy = ({ protocol, hostname }: URL) =>
  protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);

function claimsOf(idToken: string): JWTPayload | undefined {
  try {
    return decodeJwt(idToken);
  } catch {
    return undefined;
  }
}

const refused = (why: string): WorkloadOutcome => ({ is: 'refused', why });

/** The one check that failed, in words that quote nothing of the token. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) {
    return error.claim === 'iat' ? 'the ID token is too old' : 'the ID token has expired';
  }
  if (error instanceof errors.JWTClaimValidationFailed) return claimReason(error.claim);
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'the ID token is signed with an algorithm that is not accepted';
  if (error instanceof errors.JWKSNoMatchingKey)
    return 'the ID token is signed with a key that its issuer does not have';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the signature of the ID token is wrong';
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid)
    return 'the ID token is malformed';
  return 'the keys of the issuer cannot be had now';
}

function claimReason(claim: string): string {
  if (claim === 'aud') return 'the ID token is meant for another audience';
  if (claim === 'nbf' || claim === 'iat') return 'the ID token is not valid yet';
  return `the claim ${claim} of the ID token is missing or wrong`;
}
