import type { Digest } from './digest.ts';

/** Codes a registry may answer with, and the status each usually has; `code-N` is the row in the specification.
 *  https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes */
const STATUS = {
  BLOB_UNKNOWN: 404, // code-1
  BLOB_UPLOAD_INVALID: 400, // code-2
  BLOB_UPLOAD_UNKNOWN: 404, // code-3
  DIGEST_INVALID: 400, // code-4
  MANIFEST_BLOB_UNKNOWN: 400, // code-5
  MANIFEST_INVALID: 400, // code-6
  MANIFEST_UNKNOWN: 404, // code-7
  NAME_INVALID: 400, // code-8
  NAME_UNKNOWN: 404, // code-9
  SIZE_INVALID: 400, // code-10
  UNAUTHORIZED: 401, // code-11
  DENIED: 403, // code-12
  UNSUPPORTED: 400, // code-13
  TOOMANYREQUESTS: 429, // code-14
  UNKNOWN: 500, // none of the specification's: the fault is the registry's
} as const;

export type ErrorCode = keyof typeof STATUS;

/** One entry of the specification's `errors` array. */
export interface ErrorEntry {
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail?: unknown;
}

/** One thing that is wrong with what a client sent, and where: `grants.0.pattern`. */
export interface Violation {
  readonly path: string;
  readonly message: string;
}

interface RegistryErrorOptions {
  readonly detail?: unknown;
  /** What it is, in a word for programs. @default the code's own */
  readonly kind?: string;
  /** @default the status of the code - only where HTTP has a more exact one */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** @default one entry made of code, message and detail */
  readonly entries?: readonly ErrorEntry[];
  /** @default none */
  readonly violations?: readonly Violation[];
  /** What only the log tells. @default nothing */
  readonly cause?: unknown;
}

/** What the registry refuses, or cannot do; the only error whose message a client sees. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly entries: readonly ErrorEntry[];
  readonly violations: readonly Violation[];
  /** What it is, in a word from which a text of any language can be made with `params`: `tag-immutable`. */
  readonly kind: string;
  readonly params: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options: RegistryErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? STATUS[code];
    this.headers = options.headers ?? {};
    this.violations = options.violations ?? [];
    this.kind = options.kind ?? code.toLowerCase().replaceAll('_', '-');
    this.params = paramsIn(options.detail);
    const detail = options.detail === undefined ? {} : { detail: options.detail };
    this.entries = options.entries ?? [{ code, message, ...detail }];
  }
}

/** What the detail says in texts and numbers. */
function paramsIn(detail: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries((detail ?? {}) as object);
  return Object.fromEntries(
    entries
      .filter(([, value]) => ['string', 'number'].includes(typeof value))
      .map(([name, value]) => [name, `${value}`]),
  );
}

export const blobUnknown = (repository: string, digest: Digest) =>
  new RegistryError('BLOB_UNKNOWN', `blob ${digest} unknown to repository ${repository}`, {
    detail: { digest },
  });

export const blobInUse = (digest: Digest, manifests: readonly Digest[]) =>
  new RegistryError(
    'DENIED',
    `blob ${digest} is still used by manifest ${list(manifests)}; delete that first`,
    {
      status: 409,
      kind: 'blob-in-use',
      detail: { digest, manifests },
    },
  );

export const uploadUnknown = (repository: string) =>
  new RegistryError(
    'BLOB_UPLOAD_UNKNOWN',
    `upload session unknown to repository ${repository}, expired or finished; start a new one`,
  );

export const uploadLost = () =>
  new RegistryError('BLOB_UPLOAD_UNKNOWN', 'what this upload had received is lost; start a new one');

export const algorithmTooLate = (algorithm: string) =>
  new RegistryError(
    'DIGEST_INVALID',
    `the upload is too large to be hashed again by ${algorithm}; begin it with ?digest-algorithm=${algorithm}`,
  );

export const uploadInvalid = (why: string) => new RegistryError('BLOB_UPLOAD_INVALID', why);

export const digestMissing = () =>
  new RegistryError('DIGEST_INVALID', 'the query parameter digest is missing: it closes an upload');

export const digestMalformed = (text: string) =>
  new RegistryError(
    'DIGEST_INVALID',
    `digest ${quoted(text)} is malformed, or its algorithm is not sha256 or sha512`,
    {
      detail: { digest: text.slice(0, 200) },
    },
  );

export const algorithmUnsupported = (text: string) =>
  new RegistryError(
    'DIGEST_INVALID',
    `digest algorithm ${quoted(text)} is not supported; use sha256 or sha512`,
    {
      detail: { algorithm: text.slice(0, 40) },
    },
  );

export const digestMismatch = (digest: Digest) =>
  new RegistryError('DIGEST_INVALID', `content does not match the digest ${digest}`, { detail: { digest } });

export const sizeInvalid = (why: string) => new RegistryError('SIZE_INVALID', why);

export const blobTooLarge = () =>
  new RegistryError('DENIED', 'the layer is larger than this registry can store in parts', { status: 413 });

export const bodyIncomplete = () =>
  new RegistryError('SIZE_INVALID', 'the connection ended before the whole body arrived');

/** Its connection ends with it: the rest of the body would come no faster. */
export const bodyTooSlow = () =>
  new RegistryError('SIZE_INVALID', 'the body came too slowly, and was not taken; send the request again', {
    status: 408,
    headers: { Connection: 'close' },
  });

/** Nobody reads this answer, but the log and the trail do: 499 is what nginx calls it. What was asked may have been done. */
export const clientGone = () =>
  new RegistryError('UNSUPPORTED', 'the client has gone before it had its answer', { status: 499 });

export const manifestUnknown = (repository: string, reference: string) =>
  new RegistryError('MANIFEST_UNKNOWN', `manifest ${reference} unknown to repository ${repository}`, {
    detail: { reference },
  });

export const manifestInvalid = (why: string) =>
  new RegistryError('MANIFEST_INVALID', `manifest invalid: ${why}`);

export const manifestTooLarge = (limit: number) =>
  new RegistryError('SIZE_INVALID', `manifest is larger than ${limit} bytes`, { status: 413 });

/** One entry per digest that `manifest` refers to and the repository lacks, as the specification asks. */
export const manifestBlobsUnknown = (repository: string, digests: readonly Digest[], isIndex: boolean) => {
  const message = `manifest refers to content unknown to repository ${repository}`;
  const cure = isIndex ? '; push it first, or have an admin set a policy with "sparseIndexes"' : '';
  const entries = digests.map((digest) => ({
    code: 'MANIFEST_BLOB_UNKNOWN' as const,
    message: `${message}: ${digest}${cure}`,
    detail: { digest },
  }));
  return new RegistryError('MANIFEST_BLOB_UNKNOWN', message, { entries });
};

export const manifestInUse = (digest: Digest, indexes: readonly Digest[]) =>
  new RegistryError('DENIED', `manifest ${digest} is listed in index ${list(indexes)}; delete that first`, {
    status: 409,
    kind: 'manifest-in-use',
    detail: { digest, indexes },
  });

/** `policy` is the name of the one that holds it there. */
export const tagImmutable = (
  { repository, tag, digest, policy }: Readonly<Record<'repository' | 'tag' | 'digest' | 'policy', string>>,
  wish: 'moved' | 'deleted',
) => {
  const advice = wish === 'moved' ? 'push under another tag' : 'it cannot be deleted';
  return new RegistryError(
    'DENIED',
    `tag ${tag} of ${repository} is immutable by the policy "${policy}": it stays on ${digest}; ${advice}`,
    { kind: 'tag-immutable', detail: { tag, digest, policy } },
  );
};

export const referenceInvalid = (text: string) =>
  text.includes(':')
    ? digestMalformed(text)
    : new RegistryError(
        'MANIFEST_INVALID',
        `tag ${quoted(text)} does not match [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`,
        {
          detail: { tag: text.slice(0, 200) },
        },
      );

export const tooManyTags = (limit: number) =>
  new RegistryError('UNSUPPORTED', `more than ${limit} tags in one request`, { status: 414 });

export const nameInvalid = (text: string) =>
  new RegistryError(
    'NAME_INVALID',
    `repository name ${quoted(text)} breaks the grammar or is over 255 characters: lower-case letters and digits, with . _ - and / between`,
    {
      detail: { name: text.slice(0, 300) },
    },
  );

export const nameUnknown = (name: string) =>
  new RegistryError('NAME_UNKNOWN', `repository ${name} is not known to registry`, { detail: { name } });

export const otherVersion = (entityTag: string) =>
  new RegistryError('DENIED', `what is there is ${entityTag}, and If-Match names another; ask without it`, {
    status: 412,
  });

/** Lazy pulls know this status: they ask for less at once. */
export const severalRanges = () =>
  new RegistryError(
    'UNSUPPORTED',
    'this registry answers one range of a blob at a time; ask for each by itself',
  );

export const parameterInvalid = (why: string) => new RegistryError('UNSUPPORTED', why);

/** `challenge` is the WWW-Authenticate that tells a client where and for what to get a token. */
export const unauthorized = (why: string, challenge: string) =>
  new RegistryError('UNAUTHORIZED', why, { headers: { 'WWW-Authenticate': challenge } });

/** What the management API was sent does not fit its schema. */
export const inputInvalid = (what: 'body' | 'query' | 'path', violations: readonly Violation[]) => {
  const paths = violations.flatMap(({ path }) => path || []);
  const where = paths.length > 0 ? `: ${[...new Set(paths)].slice(0, 5).join(', ')}` : '';
  return new RegistryError(
    'UNSUPPORTED',
    `the ${what} of the request is not what this endpoint takes${where}`,
    { kind: 'input-invalid', violations },
  );
};

export const bodyMalformed = () => new RegistryError('UNSUPPORTED', 'the body is not JSON');

export const bodyTooLarge = (limit: number) =>
  new RegistryError('SIZE_INVALID', `the body is larger than ${limit} bytes`, { status: 413 });

export const mediaTypeUnsupported = (wanted: string) =>
  new RegistryError('UNSUPPORTED', `the body is not ${wanted}; say so in Content-Type`, { status: 415 });

/** Of users, groups and the like; repositories and what they hold have codes of their own. */
export const notFound = (what: string) =>
  new RegistryError('UNSUPPORTED', `there is no such ${what}`, { status: 404, kind: 'not-found' });

/** What is asked for stands against what there is. */
export const conflict = (why: string) => new RegistryError('DENIED', why, { status: 409, kind: 'conflict' });

export const denied = (why: string) => new RegistryError('DENIED', why);

/** `on` is a repository, or a pattern of them. */
export const grantMissing = (
  grant: Readonly<Record<'principal' | 'action' | 'on', string>>,
  is = 'repository',
) =>
  new RegistryError(
    'DENIED',
    `${grant.principal} lacks the grant "${grant.action}" on the ${is} ${grant.on}`,
    {
      kind: 'grant-missing',
      detail: grant,
    },
  );

/** Whether it is a refusal, such as that of a quota. */
export const isDenied = (error: unknown) => error instanceof RegistryError && error.code === 'DENIED';

/** https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2 wants the way to log in with each 401. */
/** `cause` is for the log, where the login may have been right. */
export const loginRefused = (why: string, cause?: unknown) =>
  new RegistryError('UNAUTHORIZED', why, { headers: { 'WWW-Authenticate': 'Basic realm="stowage"' }, cause });

export const endpointUnknown = () =>
  new RegistryError('UNSUPPORTED', 'no such endpoint', { status: 404, kind: 'endpoint-unknown' });

export const methodUnsupported = (method: string, allow: readonly string[]) =>
  new RegistryError(
    'UNSUPPORTED',
    `${method} is not supported on this endpoint; it takes ${allow.join(', ')}`,
    {
      status: 405,
      headers: { Allow: allow.join(', ') },
    },
  );

/** `cause` tells the log which object it is. */
export const bytesLost = (
  { is, repository, digest }: Readonly<Record<'is' | 'repository' | 'digest', string>>,
  cause: unknown,
) =>
  new RegistryError(
    'UNKNOWN',
    `the bytes of ${is} ${digest} of ${repository} are lost or damaged in the registry's store; push the image again to heal it`,
    { detail: { digest }, cause },
  );

export const isBytesLost = (error: unknown) => error instanceof RegistryError && error.code === 'UNKNOWN';

/** What a client has sent, as far as it can be shown. */
const quoted = (text: string) => JSON.stringify(text.slice(0, 100));

/** A message stays readable when hundreds of manifests share a layer; `detail` has them all. */
function list(digests: readonly Digest[]): string {
  const more = digests.length - 1;
  return more > 0 ? `${digests[0]} and ${more} more` : `${digests[0]}`;
}
