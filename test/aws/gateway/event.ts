import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

/** What never reaches a function. */
const DROPPED = new Set([
  'connection',
  'content-md5',
  'cookie', // has a field of its own
  'expect',
  'max-forwards',
  'proxy-authenticate',
  'server',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
]);

/** What arrives as text. Everything else is base64, `+json` types and a missing Content-Type included: AWS does
 *  not say so, people who tried it do. */
const TEXT = /^(text\/|application\/(json|xml|javascript)\s*(;|$))/i;

export interface EventOptions {
  /** Whether bodies of text types arrive as text; if not, all are base64. */
  readonly textTypes: boolean;
}

/** The event that API Gateway builds of a request, in payload format 2.0 of an HTTP API on stage `$default`. */
export function eventOf(
  incoming: IncomingMessage,
  body: Buffer,
  { textTypes }: EventOptions,
): APIGatewayProxyEventV2 {
  const [target = '/', rawQueryString = ''] = splitAt(incoming.url ?? '/', '?');
  const headers = headersOf(incoming, body);
  const rawPath = decodedPath(target);
  const cookies = (incoming.headers.cookie ?? '').split(/; */).filter(Boolean);
  const isBase64Encoded = body.length > 0 && !(textTypes && TEXT.test(headers['content-type'] ?? ''));
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString,
    ...(cookies.length > 0 && { cookies }),
    headers,
    ...(rawQueryString !== '' && { queryStringParameters: parametersOf(rawQueryString) }),
    requestContext: contextOf(incoming, rawPath),
    ...(body.length > 0 && { body: body.toString(isBase64Encoded ? 'base64' : 'utf8') }),
    isBase64Encoded,
  };
}

/** Lower-case names; what is repeated is joined with a comma, without a space. */
function headersOf(incoming: IncomingMessage, body: Buffer): Record<string, string> {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    const name = (incoming.rawHeaders[index] as string).toLowerCase();
    const value = incoming.rawHeaders[index + 1] as string;
    const before = headers.get(name);
    if (!DROPPED.has(name) && !name.startsWith('x-forwarded-')) {
      headers.set(name, before === undefined ? value : `${before},${value}`);
    }
  }
  const { remoteAddress } = incoming.socket;
  headers.set('forwarded', `by=10.0.0.1;for=${remoteAddress};host=${incoming.headers.host};proto=https`);
  headers.set('x-amzn-trace-id', `Root=1-${randomUUID()}`);
  if (body.length === 0 && !headers.has('content-type')) headers.set('content-type', 'text/plain');
  return Object.fromEntries(headers);
}

/** Decoded once, and cut at a question mark that this uncovers. A trailing slash and dots stay. */
function decodedPath(target: string): string {
  const path = target.replace(/^https?:\/\/[^/]*/i, '');
  const bytes = path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const [decoded = ''] = splitAt(Buffer.from(bytes, 'latin1').toString('utf8'), '?');
  return decoded === '' ? '/' : decoded;
}

/** Decoded, what is repeated joined with a comma: no way to tell it from a comma in a value. */
function parametersOf(query: string): Record<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    const before = parameters.get(name);
    parameters.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(parameters);
}

function contextOf(incoming: IncomingMessage, path: string): APIGatewayProxyEventV2['requestContext'] {
  const now = new Date();
  return {
    accountId: '123456789012',
    apiId: 'abcdefghij',
    domainName: 'abcdefghij.execute-api.eu-west-1.amazonaws.com',
    domainPrefix: 'abcdefghij',
    http: {
      method: incoming.method ?? 'GET',
      path,
      protocol: 'HTTP/1.1',
      sourceIp: incoming.socket.remoteAddress ?? '127.0.0.1',
      userAgent: incoming.headers['user-agent'] ?? '',
    },
    requestId: randomUUID().slice(0, 16),
    routeKey: '$default',
    stage: '$default',
    time: now.toUTCString(),
    timeEpoch: now.getTime(),
  };
}

function splitAt(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + separator.length)];
}
