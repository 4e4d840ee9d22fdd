import { createECDH, createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const ALGORITHM = 'AWS4-ECDSA-P256-SHA256';

/** The order of the curve P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Whether a request is signed with SigV4A for CloudFront's KeyValueStore, and by these credentials where they are
 *  given. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html */
export function isSigned(request: IncomingMessage, body: string, credentials?: Credentials): boolean {
  const claim = claimOf(request.headers.authorization ?? '');
  if (!claim || request.headers['x-amz-region-set'] !== '*') return false;
  if (!credentials) return true;
  if (claim.accessKeyId !== credentials.accessKeyId) return false;
  const canonical = canonicalRequest(request, body, claim.signedHeaders);
  const date = `${request.headers['x-amz-date']}`;
  const toSign = [ALGORITHM, date, claim.scope, sha256(canonical)].join('\n');
  return verify('sha256', Buffer.from(toSign), publicKeyOf(credentials), Buffer.from(claim.signature, 'hex'));
}

function claimOf(authorization: string) {
  const pattern = new RegExp(
    `^${ALGORITHM} Credential=([^/,]+)/(\\d{8}/cloudfront-keyvaluestore/aws4_request), SignedHeaders=([^,]+), Signature=([0-9a-f]+)$`,
  );
  const [all, accessKeyId = '', scope = '', headers = '', signature = ''] = pattern.exec(authorization) ?? [];
  return all ? { accessKeyId, scope, signedHeaders: headers.split(';'), signature } : undefined;
}

/** The path is encoded once more than it was sent, as for every service but S3. */
function canonicalRequest(
  { method, url = '', headers }: IncomingMessage,
  body: string,
  names: string[],
): string {
  const path = url.split('/').map(encodeURIComponent).join('/');
  const lines = names.map((name) => `${name}:${`${headers[name] ?? ''}`.trim()}\n`).join('');
  return [method, path, '', lines, names.join(';'), sha256(body)].join('\n');
}

/** The key pair follows from the secret: NIST SP 800-108 in counter mode, until a number below the order comes out. */
function publicKeyOf({ accessKeyId, secretAccessKey }: Credentials) {
  for (let counter = 1; counter < 255; counter += 1) {
    const input = [
      Buffer.from([0, 0, 0, 1]),
      Buffer.from(`${ALGORITHM}\0${accessKeyId}`),
      Buffer.from([counter, 0, 0, 1, 0]),
    ];
    const hex = createHmac('sha256', `AWS4A${secretAccessKey}`).update(Buffer.concat(input)).digest('hex');
    const candidate = BigInt(`0x${hex}`);
    if (candidate <= ORDER - 2n) return publicKeyFrom(candidate + 1n);
  }
  throw new Error('these credentials have no key');
}

function publicKeyFrom(secret: bigint) {
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(Buffer.from(secret.toString(16).padStart(64, '0'), 'hex'));
  const point = curve.getPublicKey(); // 4, x, y
  const part = (from: number) => point.subarray(from, from + 32).toString('base64url');
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: part(1), y: part(33) }, format: 'jwk' });
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
