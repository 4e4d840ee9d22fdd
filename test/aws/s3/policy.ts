import { type Call, header } from './call.ts';
import type { Operation } from './routing.ts';
import { S3Error } from './s3-error.ts';
import type { Credentials, Signed } from './signature.ts';

/** A statement of a bucket policy, in as much of IAM's language as this server knows. */
export interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal: '*' | { readonly Service: string };
  readonly Action: readonly string[];
  /** An asterisk at its end stands for anything. */
  readonly Resource: string;
  readonly Condition: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A service of AWS, which may do what the bucket policy allows it, and nothing else. */
export interface Guest {
  readonly credentials: Credentials;
  readonly service: string;
  /** On whose behalf it comes. */
  readonly sourceArn: string;
}

/** Who may do what. The owner may do whatever no statement denies. */
export interface Access {
  readonly bucket: string;
  readonly guests: readonly Guest[];
  readonly policy: readonly Statement[];
}

type Action =
  | 's3:GetObject'
  | 's3:PutObject'
  | 's3:DeleteObject'
  | 's3:ListBucket'
  | 's3:AbortMultipartUpload';

/** What a request asks a policy for. */
interface Asked {
  readonly action: Action;
  readonly resource: string;
  readonly guest: Guest | undefined;
  /** By condition key; `undefined` where the request has no value for it. */
  readonly values: Readonly<Record<string, string | undefined>>;
}

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

/** Those for which `s3:ObjectCreationOperation` is true; it is false for the others that are `s3:PutObject`.
 *  https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html */
const CREATIONS: readonly Operation[] = ['PutObject', 'CopyObject', 'CompleteMultipartUpload'];

const OPERATORS: Readonly<Record<string, (value: string | undefined, expected: string) => boolean>> = {
  Null: (value, expected) => String(value === undefined) === expected,
  Bool: (value, expected) => value === expected,
  StringEquals: (value, expected) => value === expected,
};

/** Refuses what a statement denies, the owner as well, and what none allows a guest. */
export function requireAllowed(access: Access, signed: Signed, operation: Operation, call: Call): void {
  if (!isAllowed(access, askedBy(access, signed, operation, call))) throw accessDenied();
}

/** Who may not list a bucket is not told which objects are not there. */
export function errorFor(access: Access, signed: Signed, call: Call, error: unknown): unknown {
  if (!(error instanceof S3Error && error.code === 'NoSuchKey')) return error;
  return isAllowed(access, askedBy(access, signed, 'ListObjectsV2', call)) ? error : accessDenied();
}

function askedBy(access: Access, { accessKeyId }: Signed, operation: Operation, call: Call): Asked {
  const action = ACTIONS[operation];
  const guest = access.guests.find(({ credentials }) => credentials.accessKeyId === accessKeyId);
  const bucket = `arn:aws:s3:::${access.bucket}`;
  const isWrite = action === 's3:PutObject';
  return {
    action,
    guest,
    resource: action === 's3:ListBucket' ? bucket : `${bucket}/${call.key}`,
    values: {
      'aws:SourceArn': guest?.sourceArn,
      's3:if-match': header(call, 'if-match'),
      's3:if-none-match': header(call, 'if-none-match'),
      's3:ObjectCreationOperation': isWrite ? String(CREATIONS.includes(operation)) : undefined,
    },
  };
}

function isAllowed({ policy }: Access, asked: Asked): boolean {
  const effects = policy.filter((statement) => isAbout(statement, asked)).map(({ Effect }) => Effect);
  return !effects.includes('Deny') && (asked.guest === undefined || effects.includes('Allow'));
}

function isAbout({ Principal, Action, Resource, Condition }: Statement, asked: Asked): boolean {
  if (Principal !== '*' && Principal.Service !== asked.guest?.service) return false;
  if (!Action.includes(asked.action)) return false;
  const prefix = Resource.replace(/\*$/, '');
  if (prefix === Resource ? asked.resource !== Resource : !asked.resource.startsWith(prefix)) return false;
  return Object.entries(Condition).every(([operator, of]) =>
    Object.entries(of).every(([key, expected]) => holds(operator, key, expected, asked.values)),
  );
}

function holds(operator: string, key: string, expected: string, values: Asked['values']): boolean {
  const test = OPERATORS[operator];
  if (!test || !(key in values))
    throw new Error(`this server does not know the condition ${operator} ${key}`);
  return test(values[key], expected);
}

const accessDenied = () => new S3Error('AccessDenied', 'Access Denied');
