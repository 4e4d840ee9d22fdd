import { createRemoteJWKSet, customFetch, decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { grantsFor, type Issuer, listIssuers } from '../identity/issuers.ts';
import type { WorkloadOutcome, WorkloadVerifier } from '../identity/workload.ts';
import type { Registry } from '../registry/registry.ts';
import { fetchDocument, type Reach, TooNear } from './remote-document.ts';

type KeySet = ReturnType<typeof createRemoteJWKSet>;

/** Public keys only: a shared secret or no signature proves nothing here. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** Ours: as long as a job of CI may take, whose ID token is made at its beginning; whatever it says itself, an older one is none. */
const MAX_AGE_SECONDS = 24 * 60 * 60;
const CLOCK_TOLERANCE_SECONDS = 30;

/** Ours: a login must not wait for a provider that hangs. */
const TIMEOUT_MS = 5000;

/** Ours: keys are fetched again after an hour, and for an unknown key id no more than twice a minute. */
const KEYS_CACHED_MS = 60 * 60_000;
const KEYS_COOLDOWN_MS = 30_000;
const FAILURE_CACHED_MS = 5000;

/** Ours: keys of one issuer; the largest have a dozen. */
const MAX_KEYS = 100;

/** OpenID allows 255 characters; GitHub's grow with the names of repository, branch and workflow. */
const MAX_SUBJECT_LENGTH = 1000;

const OTHER_AUDIENCE = 'the ID token is meant for another audience';
const UNREACHABLE = 'the keys of the issuer cannot be had now';

/** Verifies ID tokens by the keys their issuers publish, which it caches.
 *  https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation */
export class IdTokenVerifier implements WorkloadVerifier {
  readonly #keySets = new Map<string, { readonly keys: Promise<KeySet>; readonly until: number }>();
  readonly #ask: typeof fetchDocument;

  constructor(options: { readonly ask?: typeof fetchDocument } = {}) {
    this.#ask = options.ask ?? fetchDocument;
  }

  async verify(registry: Registry, idToken: string): Promise<WorkloadOutcome> {
    const claimed = claimsOf(idToken);
    if (!claimed) return refused('the password is not an ID token');
    const candidates = (await listIssuers(registry)).filter(({ issuer }) => issuer === claimed.iss);
    if (candidates.length === 0) return refused('the issuer of the ID token is not trusted here');
    const outcomes: WorkloadOutcome[] = [];
    for (const issuer of candidates) {
      const outcome = await this.#verifyFor(issuer, idToken, registry.now());
      if (outcome.is === 'known') return outcome;
      outcomes.push(outcome);
    }
    // Of several entries, the one for this audience knows best what is wrong.
    return (
      outcomes.find((outcome) => outcome.is === 'refused' && outcome.why !== OTHER_AUDIENCE) ??
      refused(OTHER_AUDIENCE)
    );
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
      const { sub: subject } = payload;
      if (!isSubject(subject)) return refused(`the claim sub of the ID token is missing or wrong`);
      return { is: 'known', workload: { issuer: issuer.name, stamp: issuer.stamp, subject, grants } };
    } catch (error) {
      const why = reasonOf(error);
      if (why !== undefined) return refused(why);
      const cause = new Error(`the keys of ${issuer.issuer} cannot be had`, { cause: error });
      return { is: 'refused', why: UNREACHABLE, cause };
    }
  }

  /** The issuer's key set; a failure to find it is kept for a moment, so that nobody can make the registry ask all the
   *  time. */
  #keysOf(issuer: string, now: number): Promise<KeySet> {
    const known = this.#keySets.get(issuer);
    if (known && known.until > now) return known.keys;
    const keys = this.#discover(issuer);
    this.#keySets.set(issuer, { keys, until: now + KEYS_CACHED_MS });
    keys.catch(() => this.#keySets.set(issuer, { keys, until: now + FAILURE_CACHED_MS }));
    return keys;
  }

  /** https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
  async #discover(issuer: string): Promise<KeySet> {
    const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    if (!isTrustworthy(url)) throw new IssuerUnsound('the issuer is neither https nor on this machine');
    // An admin has named it: it may be a neighbour of the registry, and then may name others.
    const { status, text, reach } = await this.#ask(url, { within: 'loopback', signal: timeOut() });
    if (status !== 200) throw new Error(`${url} answered ${status}`);
    const { issuer: named, jwks_uri: keysUrl } = (JSON.parse(text) ?? {}) as Discovery;
    if (typeof keysUrl !== 'string' || !URL.canParse(keysUrl)) throw new Error(`${url} names no jwks_uri`);
    if (named !== issuer) throw new IssuerUnsound('the issuer says that it is another one');
    const keys = new URL(keysUrl);
    if (keys.protocol !== 'https:' && !(isTrustworthy(keys) && url.protocol === 'http:'))
      throw new IssuerUnsound('the keys of the issuer would come over a line where others can write');
    return createRemoteJWKSet(keys, {
      timeoutDuration: TIMEOUT_MS,
      cacheMaxAge: KEYS_CACHED_MS,
      cooldownDuration: KEYS_COOLDOWN_MS,
      [customFetch]: (_, { signal }) => this.#fetchKeys(keys, reach, signal),
    });
  }

  async #fetchKeys(url: URL, within: Reach, signal: AbortSignal): Promise<Response> {
    const { status, text } = await this.#ask(url, { within, signal });
    if (status !== 200) throw new Error(`${url} answered ${status}`);
    const set = JSON.parse(text) as { readonly keys?: readonly unknown[] } | null;
    if ((set?.keys?.length ?? 0) > MAX_KEYS)
      throw new IssuerUnsound('the issuer has more keys than it can use');
    return Response.json(set);
  }
}

interface Discovery {
  readonly issuer?: unknown;
  readonly jwks_uri?: unknown;
}

const timeOut = () => AbortSignal.timeout(TIMEOUT_MS);

/** What an issuer says of itself cannot be right; its message is for the client. */
class IssuerUnsound extends Error {
  override readonly name = 'IssuerUnsound';
}

/** Keys that came over a line where others can write prove nothing. */
export const isTrustworthy = ({ protocol, hostname }: URL) =>
  protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname));

function claimsOf(idToken: string): JWTPayload | undefined {
  try {
    return decodeJwt(idToken);
  } catch {
    return undefined;
  }
}

const isSubject = (subject: unknown): subject is string =>
  typeof subject === 'string' && subject.length > 0 && subject.length <= MAX_SUBJECT_LENGTH;

const refused = (why: string): WorkloadOutcome => ({ is: 'refused', why });

/** The one check that failed, in words that quote nothing of the token; `undefined` where the token was not checked,
 *  for want of keys. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof IssuerUnsound) return error.message;
  if (error instanceof TooNear) return 'the keys of the issuer would come from where it has no business';
  if (error instanceof errors.JWTExpired) {
    return error.claim === 'iat' ? 'the ID token is too old' : 'the ID token has expired';
  }
  if (error instanceof errors.JWTClaimValidationFailed) return claimReason(error);
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'the ID token is signed with an algorithm that is not accepted';
  if (error instanceof errors.JWKSNoMatchingKey)
    return 'the ID token is signed with a key that its issuer does not have';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the signature of the ID token is wrong';
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return 'the ID token does not say which key of its issuer it is signed with';
  const malformed = [errors.JWTInvalid, errors.JWSInvalid, errors.JOSENotSupported];
  if (malformed.some((one) => error instanceof one)) return 'the ID token is malformed';
  return undefined;
}

function claimReason({ claim, reason }: errors.JWTClaimValidationFailed): string {
  if (claim === 'aud') return OTHER_AUDIENCE;
  const isEarly = (claim === 'nbf' || claim === 'iat') && reason === 'check_failed';
  return isEarly ? 'the ID token is not valid yet' : `the claim ${claim} of the ID token is missing or wrong`;
}
