import type { IncomingMessage } from 'node:http';

/** What a request asks of S3, by AWS's name for it. */
export function s3Operation({ method = '', url = '/', headers }: IncomingMessage): string {
  const { pathname, searchParams: query } = new URL(url, 'http://s3');
  const isCopy = headers['x-amz-copy-source'] !== undefined;
  if (!/^\/[^/]+\/./.test(pathname)) return bucketOperation(method, query);
  if (query.has('uploads')) return 'CreateMultipartUpload';
  if (query.has('partNumber')) return isCopy ? 'UploadPartCopy' : 'UploadPart';
  if (query.has('uploadId')) return MULTIPART[method] ?? method;
  return isCopy ? 'CopyObject' : (OBJECT[method] ?? method);
}

function bucketOperation(method: string, query: URLSearchParams): string {
  if (query.has('delete')) return 'DeleteObjects';
  if (query.has('uploads')) return 'ListMultipartUploads';
  return method === 'HEAD' ? 'HeadBucket' : 'ListObjects';
}

const MULTIPART: Readonly<Record<string, string>> = {
  GET: 'ListParts',
  POST: 'CompleteMultipartUpload',
  DELETE: 'AbortMultipartUpload',
};

const OBJECT: Readonly<Record<string, string>> = {
  GET: 'GetObject',
  HEAD: 'HeadObject',
  PUT: 'PutObject',
  DELETE: 'DeleteObject',
};

/** What a request asks of DynamoDB. */
export function dynamoDbOperation({ headers }: IncomingMessage): string {
  const target = String(headers['x-amz-target'] ?? '');
  return target.slice(target.indexOf('.') + 1);
}
