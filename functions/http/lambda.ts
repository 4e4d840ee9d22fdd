import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { isUnrequested, withMethod } from './unrequested.ts';

const MEBIBYTE = 1024 * 1024;

/** Lambda's: a function's whole answer, as JSON. */
const MAX_RESULT_BYTES = 6 * MEBIBYTE;

/** Room for status and headers; API Gateway takes no more than 10,240 bytes of headers. */
const ENVELOPE_BYTES = 32 * 1024;

/** The largest body that fits an answer as base64, about 4.47 MiB. Blobs are redirected to storage and
 *  manifests end at 4 MiB, so whatever exceeds this is our mistake. */
export const MAX_BODY_BYTES = ((MAX_RESULT_BYTES - ENVELOPE_BYTES) / 4) * 3;

/** The web-standard request of an HTTP API event (payload format 2.0), the body as the bytes that were sent, whose signal
 *  follows the one given; `undefined` where it is none (a method or header that the standard refuses). */
export function requestOf(event: APIGatewayProxyEventV2, signal?: AbortSignal): Request | undefined {
  const { method } = event.requestContext.http;
  const body = method === 'GET' || method === 'HEAD' || isUnrequested(method) ? undefined : bodyOf(event);
  try {
    const rest = { headers: headersOf(event), ...(body && { body }), ...(signal && { signal }) };
    return withMethod(method, (method) => new Request(urlOf(event), { method, ...rest }));
  } catch {
    return undefined;
  }
}

/** The result that makes API Gateway send `response`; an answer to HEAD keeps the body that GET would have, which
 *  the gateway leaves out. Fails where the body fails, or is larger than `MAX_BODY_BYTES`. */
export async function resultOf(response: Response): Promise<APIGatewayProxyStructuredResultV2> {
  const { status: statusCode, headers } = response;
  const bytes = await bytesOf(response);
  if (response.body && !headers.has('content-length')) headers.set('Content-Length', `${bytes.length}`);
  const cookies = headers.getSetCookie();
  return {
    statusCode,
    headers: Object.fromEntries([...headers].filter(([name]) => name !== 'set-cookie')),
    ...(cookies.length > 0 && { cookies }),
    body: bytes.toString('base64'),
    isBase64Encoded: bytes.length > 0,
  };
}

/** The gateway hands the path out decoded, and the app decodes it once. Encoding the slashes too leaves no `..`
 *  that a URL would resolve, so that the app sees the gateway's path and no other. */
function urlOf({ rawPath, rawQueryString }: APIGatewayProxyEventV2): string {
  const path = encodeURIComponent(rawPath.replace(/^\//, '').toWellFormed());
  return `http://registry/${path}${rawQueryString && `?${rawQueryString}`}`;
}

function headersOf({ headers, cookies }: APIGatewayProxyEventV2): [string, string][] {
  const given = Object.entries(headers).map(([name, value = '']): [string, string] => [name, latin1(value)]);
  return cookies?.length ? [...given, ['cookie', latin1(cookies.join('; '))]] : given;
}

/** A web-standard header is a string of bytes: what JSON made of others is put back. */
function latin1(value: string): string {
  return /[^\0-\xff]/.test(value) ? Buffer.from(value).toString('latin1') : value;
}

function bodyOf({ body, isBase64Encoded }: APIGatewayProxyEventV2): Uint8Array<ArrayBuffer> | undefined {
  return body ? Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8') : undefined;
}

/** Holds no more of the body in memory than an answer can have. */
async function bytesOf({ body, headers }: Response): Promise<Buffer> {
  if (!body) return Buffer.alloc(0);
  if (Number(headers.get('content-length') ?? 0) > MAX_BODY_BYTES) {
    await body.cancel();
    throw tooLarge();
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const tooLarge = () => new Error(`a body over ${MAX_BODY_BYTES} bytes does not fit a Lambda answer`);
