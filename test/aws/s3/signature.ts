import { createHash, createHmac } from 'node:crypto';
import { type Call, header, queryValue } from './call.ts';
import { type Claim, headerClaim, isPresigned, queryClaim } from './claim.ts';
import { S3Error } from './s3-error.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** With it, every request must carry it; without it, none may carry any. */
  readonly sessionToken?: string;
}

/** Whose requests are accepted, and for where and when. */
export interface Authority {
  readonly credentials: readonly Credentials[];
  readonly region: string;
  readonly now: () => Date;
}

/** A request whose signature is right. The rest is what its chunks are signed with. */
export interface Signed {
  readonly accessKeyId: string;
  readonly presigned: boolean;
  /** `x-amz-content-sha256` */
  readonly payload: string;
  readonly date: string;
  readonly scope: string;
  readonly key: Buffer;
  readonly signature: string;
}

const MAX_SKEW_MS = 15 * 60 * 1000;

export const sha256Hex = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');

export const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();

/** Refuses what is not signed, wrongly signed, expired, or from another time; covers headers and presigned URLs. */
export function authenticate(call: Call, authority: Authority): Signed {
  const presigned = isPresigned(call);
  const claim = presigned ? queryClaim(call) : headerClaim(call);
  const { credentials, scope } = requireScope(claim, authority, presigned);
  requireTime(claim, authority.now());
  requireSignedHeaders(call, claim);
  const key = signingKey(credentials.secretAccessKey, scope);
  const canonical = canonicalRequest(call, claim);
  const toSign = ['AWS4-HMAC-SHA256', claim.date, scope, sha256Hex(canonical)].join('\n');
  if (hmac(key, toSign).toString('hex') !== claim.signature) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      { StringToSign: toSign, CanonicalRequest: canonical, SignatureProvided: claim.signature },
    );
  }
  requireToken(call, credentials, presigned);
  const { payload, date, signature } = claim;
  return { accessKeyId: credentials.accessKeyId, presigned, payload, date, scope, key, signature };
}

function signingKey(secret: string, scope: string): Buffer {
  return scope.split('/').reduce<Buffer | string>((key, part) => hmac(key, part), `AWS4${secret}`) as Buffer;
}

function requireScope(claim: Claim, authority: Authority, presigned: boolean) {
  const [accessKeyId, ...scope] = claim.credential.split('/');
  const [day, region, service, end] = scope;
  const code = presigned ? 'AuthorizationQueryParametersError' : 'AuthorizationHeaderMalformed';
  if (scope.length !== 4 || end !== 'aws4_request' || service !== 's3') {
    throw new S3Error(code, 'Error parsing the credential; it should end in "s3/aws4_request"');
  }
  if (region !== authority.region) {
    const message = `the region '${region}' is wrong; expecting '${authority.region}'`;
    throw new S3Error(code, message, { Region: authority.region });
  }
  if (day !== claim.date.slice(0, 8)) {
    throw new S3Error(code, `Invalid credential date "${day}"; it is not that of X-Amz-Date`);
  }
  const credentials = authority.credentials.find((each) => each.accessKeyId === accessKeyId);
  if (!credentials) {
    throw new S3Error(
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
      {
        AWSAccessKeyId: accessKeyId ?? '',
      },
    );
  }
  return { credentials, scope: scope.join('/') };
}

function requireTime(claim: Claim, now: Date): void {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(claim.date) ?? [];
  const signedAt = Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s));
  if (Number.isNaN(signedAt)) {
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  }
  if (claim.expiresSeconds === undefined) requireNoSkew(claim.date, signedAt, now);
  else requireNotExpired(claim.expiresSeconds, signedAt, now);
}

function requireNotExpired(seconds: number, signedAt: number, now: Date): void {
  if (signedAt > now.getTime() + MAX_SKEW_MS) throw new S3Error('AccessDenied', 'Request is not yet valid');
  const expires = new Date(signedAt + seconds * 1000);
  if (now <= expires) return;
  throw new S3Error('AccessDenied', 'Request has expired', {
    'X-Amz-Expires': seconds,
    Expires: expires.toISOString(),
    ServerTime: now.toISOString(),
  });
}

function requireNoSkew(date: string, signedAt: number, now: Date): void {
  if (Math.abs(now.getTime() - signedAt) <= MAX_SKEW_MS) return;
  throw new S3Error(
    'RequestTimeTooSkewed',
    'The difference between the request time and the current time is too large.',
    { RequestTime: date, ServerTime: now.toISOString(), MaxAllowedSkewMilliseconds: MAX_SKEW_MS },
  );
}

/** An `x-amz-` header that nobody signed could be anybody's. */
function requireSignedHeaders(call: Call, claim: Claim): void {
  const present = Object.keys(call.headers).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  const missing = present.filter((name) => !claim.signedHeaders.includes(name));
  if (missing.length === 0) return;
  throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
    HeadersNotSigned: missing.join(', '),
  });
}

function requireToken(call: Call, { sessionToken }: Credentials, presigned: boolean): void {
  const sent = presigned ? queryValue(call, 'X-Amz-Security-Token') : header(call, 'x-amz-security-token');
  if (sent === sessionToken) return;
  throw new S3Error('InvalidToken', 'The provided token is malformed or otherwise invalid.');
}

function canonicalRequest(call: Call, claim: Claim): string {
  const values = call.request.headersDistinct;
  const headers = claim.signedHeaders.map((name) => {
    const value = (values[name] ?? []).map((each) => each.trim().replace(/ +/g, ' ')).join(',');
    return `${name}:${value}\n`;
  });
  return [
    call.method,
    call.path.split('/').map(encode).join('/'),
    canonicalQuery(call),
    headers.join(''),
    claim.signedHeaders.join(';'),
    claim.payload,
  ].join('\n');
}

function canonicalQuery(call: Call): string {
  const signed = call.query.filter(([name]) => name !== 'X-Amz-Signature');
  const pairs = signed.map(([name, value]) => [encode(name), encode(value)] as const);
  pairs.sort(([a, x], [b, y]) => compare(a, b) || compare(x, y));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

const compare = (a: string, b: string) => (a === b ? 0 : a < b ? -1 : 1);

/** Everything but letters, digits and `-._~`, as SigV4 has it. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
