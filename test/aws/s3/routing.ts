import { type Call, header, queryValue } from './call.ts';
import { S3Error } from './s3-error.ts';

/** A header, not the query, makes of a write a copy. */
const COPIES = { PutObject: 'CopyObject', UploadPart: 'UploadPartCopy' } as const;

const ROUTES = [
  { operation: 'HeadBucket', method: 'HEAD', of: 'bucket', query: [] },
  { operation: 'ListObjectsV2', method: 'GET', of: 'bucket', query: ['list-type'] },
  { operation: 'ListMultipartUploads', method: 'GET', of: 'bucket', query: ['uploads'] },
  { operation: 'ListObjects', method: 'GET', of: 'bucket', query: [] },
  { operation: 'DeleteObjects', method: 'POST', of: 'bucket', query: ['delete'] },
  { operation: 'CreateMultipartUpload', method: 'POST', of: 'object', query: ['uploads'] },
  { operation: 'CompleteMultipartUpload', method: 'POST', of: 'object', query: ['uploadId'] },
  { operation: 'UploadPart', method: 'PUT', of: 'object', query: ['uploadId', 'partNumber'] },
  { operation: 'AbortMultipartUpload', method: 'DELETE', of: 'object', query: ['uploadId'] },
  { operation: 'ListParts', method: 'GET', of: 'object', query: ['uploadId'] },
  { operation: 'PutObject', method: 'PUT', of: 'object', query: [] },
  { operation: 'GetObject', method: 'GET', of: 'object', query: [] },
  { operation: 'HeadObject', method: 'HEAD', of: 'object', query: [] },
  { operation: 'DeleteObject', method: 'DELETE', of: 'object', query: [] },
] as const;

export type Operation = (typeof ROUTES)[number]['operation'] | (typeof COPIES)[keyof typeof COPIES];

/** What asks S3 for something else than the operations above; alone, or beside the parameters of one. */
const NOT_IMPLEMENTED = new Set(
  'accelerate acl analytics append attributes cors encryption intelligent-tiering inventory legal-hold lifecycle location logging metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock renameObject replication requestPayment restore retention select session tagging torrent versionId versioning versions website'.split(
    ' ',
  ),
);

export function operationOf(call: Call): Operation {
  if (!['GET', 'HEAD', 'PUT', 'POST', 'DELETE'].includes(call.method)) throw methodNotAllowed(call);
  const unknown = call.query.find(([name, value]) => NOT_IMPLEMENTED.has(name) && value !== 'null');
  if (unknown) throw unimplemented(`?${unknown[0]}`);
  const target = call.key === '' ? 'bucket' : 'object';
  const route = ROUTES.find(
    ({ method, of, query }) =>
      method === call.method && of === target && query.every((name) => has(call, name)),
  );
  if (!route)
    throw call.method === 'POST' ? methodNotAllowed(call) : unimplemented(`${call.method} ${target}`);
  const { operation } = route;
  if (has(call, 'partNumber') && operation !== 'UploadPart') throw unimplemented('?partNumber');
  const isCopy = header(call, 'x-amz-copy-source') !== undefined;
  return isCopy && (operation === 'PutObject' || operation === 'UploadPart') ? COPIES[operation] : operation;
}

const has = (call: Call, name: string) => queryValue(call, name) !== undefined;

const methodNotAllowed = (call: Call) =>
  new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
    Method: call.method,
    ResourceType: call.key === '' ? 'BUCKET' : 'OBJECT',
  });

const unimplemented = (what: string) =>
  new S3Error('NotImplemented', `This server does not implement what you asked for: ${what}`);
