import { hmac, sha256Hex } from '../s3/signature.ts';
import type { EdgeValues } from './edge-event.ts';

/** What CloudFront signs with at an S3 origin. */
export interface OriginAccess {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

interface Signable {
  readonly method: string;
  /** Without a query: both behaviours send S3 none. */
  readonly path: string;
  readonly headers: EdgeValues;
  readonly at: Date;
}

/** The headers of a request to S3 as Origin Access Control leaves them: signed (SigV4), whatever Authorization the client
 *  had sent. Bytes are covered where a function has set their hash.
 *  https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html */
export function signed({ method, path, headers, at }: Signable, access: OriginAccess): EdgeValues {
  const date = at.toISOString().replace(/[-:]|\.\d+/g, '');
  const payload = headers['x-amz-content-sha256']?.value ?? 'UNSIGNED-PAYLOAD';
  const { authorization: _, ...kept } = headers;
  const all: EdgeValues = {
    ...kept,
    'x-amz-date': { value: date },
    'x-amz-content-sha256': { value: payload },
  };
  const names = Object.keys(all).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  const signedHeaders = names.sort((a, b) => (a < b ? -1 : 1));
  const canonical = [
    method,
    path.split('/').map(segment).join('/'),
    '',
    ...signedHeaders.map((name) => `${name}:${headerText(all, name)}`),
    '',
    signedHeaders.join(';'),
    payload,
  ].join('\n');
  const scope = `${date.slice(0, 8)}/${access.region}/s3/aws4_request`;
  const key = scope
    .split('/')
    .reduce<Buffer | string>((before, part) => hmac(before, part), `AWS4${access.secretAccessKey}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256Hex(canonical)].join('\n'));
  const credential = `Credential=${access.accessKeyId}/${scope}`;
  const proof = `${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature.toString('hex')}`;
  return { ...all, authorization: { value: `AWS4-HMAC-SHA256 ${proof}` } };
}

function headerText(headers: EdgeValues, name: string): string {
  const entry = headers[name];
  const values = entry?.multiValue?.map(({ value }) => value) ?? [entry?.value ?? ''];
  return values.map((value) => value.trim().replace(/ +/g, ' ')).join(',');
}

function segment(text: string): string {
  return encodeURIComponent(decoded(text)).replace(
    /[!'()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
