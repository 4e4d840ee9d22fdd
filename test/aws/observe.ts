import { Readable } from 'node:stream';
import type { AwsClient } from '../../functions/aws-clients.ts';

/** What may become of one call to AWS: it fails before or after it took effect, in the ways the network and AWS
 *  have. */
export type Fault = 'internal error' | 'throttled' | 'request lost' | 'answer lost';

/** Called for every request that leaves for AWS, repetitions included, with its operation's name. */
export type Observer = (operation: string) => Fault | undefined;

interface HttpRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
}

/** Puts an observer between a client and the network. */
export function observe(clients: readonly AwsClient[], observer: Observer): void {
  for (const client of clients) {
    const { requestHandler } = client.config;
    const send = requestHandler.handle.bind(requestHandler);
    requestHandler.handle = async (request, options) => {
      const fault = observer(operationOf(request as HttpRequest));
      if (fault === undefined) return send(request, options);
      if (fault === 'answer lost') await send(request, options);
      if (fault === 'answer lost' || fault === 'request lost') throw connectionReset();
      return { response: refusal(request as HttpRequest, fault) } as never;
    };
  }
}

function operationOf({ method, headers, query = {} }: HttpRequest): string {
  const target = headers['x-amz-target'];
  if (target) return target.slice(target.indexOf('.') + 1);
  if ('delete' in query) return 'DeleteObjects';
  if ('partNumber' in query) return 'UploadPart';
  if ('uploads' in query) return 'CreateMultipartUpload';
  if ('uploadId' in query) return method === 'DELETE' ? 'AbortMultipartUpload' : 'CompleteMultipartUpload';
  const names: Record<string, string> = {
    GET: 'GetObject',
    HEAD: 'HeadObject',
    PUT: 'PutObject',
    DELETE: 'DeleteObject',
  };
  return names[method] ?? method;
}

function connectionReset(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET', name: 'TimeoutError' });
}

/** The answer of a service that is in trouble, as DynamoDB or as S3 words it. */
function refusal({ headers }: HttpRequest, fault: 'internal error' | 'throttled') {
  const isDynamoDb = headers['x-amz-target'] !== undefined;
  const [code, status] = {
    'internal error': [isDynamoDb ? 'InternalServerError' : 'InternalError', 500] as const,
    throttled: isDynamoDb ? (['ThrottlingException', 400] as const) : (['SlowDown', 503] as const),
  }[fault];
  const body = isDynamoDb
    ? JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${code}`, message: fault })
    : `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${fault}</Message></Error>`;
  const type = isDynamoDb ? 'application/x-amz-json-1.0' : 'application/xml';
  return { statusCode: status, headers: { 'content-type': type }, body: Readable.from([Buffer.from(body)]) };
}
