import { type Call, header, queryValue } from './call.ts';
import { invalidArgument, S3Error } from './s3-error.ts';

/** What a request says about its signature, in headers or in the query. */
export interface Claim {
  readonly credential: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly date: string;
  readonly payload: string;
  /** Of a presigned URL. */
  readonly expiresSeconds?: number;
}

const UNSIGNED = 'UNSIGNED-PAYLOAD';
export const STREAMING_PAYLOADS = {
  signed: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  signedTrailer: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  unsignedTrailer: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
} as const;

const MAX_EXPIRES_SECONDS = 7 * 24 * 60 * 60;
const QUERY_PARAMETERS = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Signature',
  'X-Amz-Date',
  'X-Amz-SignedHeaders',
  'X-Amz-Expires',
] as const;

/** Whether the query signs; with an Authorization header beside it, S3 refuses to choose. */
export function isPresigned(call: Call): boolean {
  const presigned = ['X-Amz-Algorithm', 'X-Amz-Signature', 'Signature'].some(
    (name) => queryValue(call, name) !== undefined,
  );
  const authorization = header(call, 'authorization');
  if (presigned && authorization !== undefined) {
    throw invalidArgument(
      'Authorization',
      authorization,
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
    );
  }
  return presigned;
}

export function headerClaim(call: Call): Claim {
  const authorization = header(call, 'authorization');
  if (authorization === undefined) throw anonymous(call);
  if (!authorization.startsWith('AWS4-HMAC-SHA256')) {
    throw invalidArgument('Authorization', authorization, 'Unsupported Authorization Type');
  }
  const [, credential, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([\da-f]{64})$/.exec(
      authorization,
    ) ?? [];
  if (!credential || !signedHeaders || !signature) {
    throw new S3Error(
      'AuthorizationHeaderMalformed',
      'The authorization header that you provided is not valid.',
    );
  }
  const payload = header(call, 'x-amz-content-sha256');
  if (payload === undefined) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  return {
    credential,
    signature,
    signedHeaders: signedHeaders.split(';'),
    date: amzDate(call),
    payload: requirePayload(payload),
  };
}

/** `x-amz-date`, or `Date` in the same form. */
function amzDate(call: Call): string {
  const amz = header(call, 'x-amz-date');
  if (amz !== undefined) return amz;
  const date = new Date(header(call, 'date') ?? '');
  return Number.isNaN(date.getTime()) ? '' : `${date.toISOString().replace(/[-:]|\.\d+/g, '')}`;
}

function anonymous(call: Call): S3Error {
  if (!call.query.some(([name]) => name.startsWith('response-'))) {
    return new S3Error('AccessDenied', 'Access Denied');
  }
  return new S3Error(
    'InvalidRequest',
    'Request specific response headers cannot be used for anonymous GET requests.',
  );
}

export function queryClaim(call: Call): Claim {
  const [algorithm, credential, signature, date, signedHeaders, expires] = QUERY_PARAMETERS.map((name) =>
    requireParameter(call, name),
  );
  if (algorithm !== 'AWS4-HMAC-SHA256') throw queryError('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"');
  const expiresSeconds = Number(expires);
  if (!/^\d+$/.test(expires ?? '') || expiresSeconds < 1 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    throw queryError('X-Amz-Expires must be between 1 and a week (604800 seconds)');
  }
  return {
    credential: credential ?? '',
    signature: signature ?? '',
    date: date ?? '',
    signedHeaders: (signedHeaders ?? '').split(';'),
    payload: requirePayload(
      header(call, 'x-amz-content-sha256') ?? queryValue(call, 'X-Amz-Content-Sha256') ?? UNSIGNED,
    ),
    expiresSeconds,
  };
}

function requireParameter(call: Call, name: string): string {
  const values = call.query.filter(([each]) => each === name);
  const [value] = values;
  if (values.length === 1 && value) return value[1];
  throw queryError(
    `Query-string authentication version 4 requires the ${QUERY_PARAMETERS.join(', ')} parameters.`,
  );
}

const queryError = (message: string) => new S3Error('AuthorizationQueryParametersError', message);

function requirePayload(value: string): string {
  if (value === UNSIGNED || /^[\da-f]{64}$/.test(value)) return value;
  if (Object.values<string>(STREAMING_PAYLOADS).includes(value)) return value;
  throw invalidArgument(
    'x-amz-content-sha256',
    value,
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.',
  );
}
