import { type Call, header } from './call.ts';
import type { Operation } from './routing.ts';
import { S3Error } from './s3-error.ts';
import type { Credentials, Signed } from './signature.ts';

/** What a bucket policy allows a principal: everything that is in no statement is refused. */
interface Statement {
  readonly action: Action;
  /** The start of the keys that it is about. */
  readonly prefix: string;
  /** Whether the request must carry If-None-Match, as the condition key `s3:if-none-match` demands. */
  readonly ifNoneMatch?: boolean;
}

/** Somebody besides the owner of the bucket. */
export interface Guest {
  readonly credentials: Credentials;
  /** Asked for each request: a policy may change. */
  readonly policy: () => readonly Statement[];
}

type Action =
  | 's3:GetObject'
  | 's3:PutObject'
  | 's3:DeleteObject'
  | 's3:ListBucket'
  | 's3:AbortMultipartUpload';

/** https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html */
const ACTIONS: Readonly<Record<Operation, Action>> = {
  HeadBucket: 's3:ListBucket',
  ListObjects: 's3:ListBucket',
  ListObjectsV2: 's3:ListBucket',
  ListMultipartUploads: 's3:ListBucket',
  DeleteObjects: 's3:DeleteObject',
  // The right to read the source is not asked for: no guest copies.
  CopyObject: 's3:PutObject',
  UploadPartCopy: 's3:PutObject',
  CreateMultipartUpload: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  AbortMultipartUpload: 's3:AbortMultipartUpload',
  ListParts: 's3:ListBucket',
  PutObject: 's3:PutObject',
  GetObject: 's3:GetObject',
  HeadObject: 's3:GetObject',
  DeleteObject: 's3:DeleteObject',
};

/** Refuses what the policy does not allow a guest; the owner may do everything. */
export function requireAllowed(
  guests: readonly Guest[],
  { accessKeyId }: Signed,
  operation: Operation,
  call: Call,
): void {
  const guest = guestOf(guests, accessKeyId);
  const isAllowed = ({ action, prefix, ifNoneMatch }: Statement) =>
    action === ACTIONS[operation] &&
    call.key.startsWith(prefix) &&
    !(ifNoneMatch && header(call, 'if-none-match') === undefined);
  if (!guest || guest.policy().some(isAllowed)) return;
  throw accessDenied();
}

/** Who may not list a bucket is not told which objects are not there. */
export function errorFor(guests: readonly Guest[], { accessKeyId }: Signed, error: unknown): unknown {
  const isMissing = error instanceof S3Error && error.code === 'NoSuchKey';
  const guest = isMissing ? guestOf(guests, accessKeyId) : undefined;
  const mayList = guest?.policy().some(({ action }) => action === 's3:ListBucket');
  return guest && !mayList ? accessDenied() : error;
}

const guestOf = (guests: readonly Guest[], accessKeyId: string) =>
  guests.find(({ credentials }) => credentials.accessKeyId === accessKeyId);

const accessDenied = () => new S3Error('AccessDenied', 'Access Denied');
