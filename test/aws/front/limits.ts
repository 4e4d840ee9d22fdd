import type { IncomingMessage } from 'node:http';
import { targetOf } from './event.ts';

/** CloudFront's: request line and headers together.
 *  https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html */
export const MAX_HEAD_BYTES = 20_480;

/** CloudFront's: path and query. */
const MAX_URL_BYTES = 8192;

/** What `lib/front-door.ts` allows its default behaviour: all that CloudFront knows. */
const METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'POST', 'DELETE']);

/** Why CloudFront takes no further look at a request. */
export interface Refusal {
  readonly status: number;
  readonly why: string;
}

/** What CloudFront refuses before any function of ours is run. */
export function refusalOf(incoming: IncomingMessage): Refusal | undefined {
  const { path, query } = targetOf(incoming);
  if (headBytes(incoming) > MAX_HEAD_BYTES || path.length + query.length > MAX_URL_BYTES) {
    return { status: 413, why: 'The request line, the headers or the URL are too long.' };
  }
  const { method = '' } = incoming;
  if (!METHODS.has(method)) {
    return { status: 403, why: 'This distribution is not configured to allow the HTTP request method.' };
  }
  if (method === 'GET' && hasBody(incoming)) return { status: 403, why: 'Bad request: a GET with a body.' };
  return undefined;
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function headBytes({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  const requestLine = `${method} ${url} HTTP/1.1\r\n`.length;
  // `: ` after a name, a line break after a value.
  return rawHeaders.reduce((bytes, text) => bytes + text.length + 2, requestLine);
}
