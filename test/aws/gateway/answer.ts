import type { APIGatewayProxyResultV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';

import { CHALLENGE_HEADER } from '../../../functions/environment.ts';

/** What goes to the client. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

export interface AnswerOptions {
  /** Whether HEAD is answered with the function's Content-Length, or with the length of the body it gave. Nobody
   *  has published which one AWS does. */
  readonly contentLengthOnHead: 'kept' | 'recomputed';
  /** Whether `WWW-Authenticate` reaches the client under its name. Reports on AWS disagree. */
  readonly challenge: 'kept' | 'renamed';
}

const DROPPED = new Set([
  'expect',
  'host',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
]);

const RENAMED = new Set(['authorization', 'connection', 'content-md5', 'max-forwards', 'user-agent']);

const OVERWRITTEN = new Set(['date', 'server']);

/** The answer that API Gateway makes of what a function returned. Fails where it is no valid result. */
export function answerOf(result: APIGatewayProxyResultV2, method: string, options: AnswerOptions): Answer {
  const { statusCode: status = 200, headers = {}, cookies = [], ...given } = structured(result);
  if (!Number.isInteger(status) || status < 200 || status > 599) throw new Error(`no status: ${status}`);
  const body = Buffer.from(given.body ?? '', given.isBase64Encoded ? 'base64' : 'utf8');
  const sent = new Map(
    Object.entries(headers).map(([name, value]) => [nameSent(name.toLowerCase(), options), `${value}`]),
  );
  for (const name of DROPPED) sent.delete(name);
  const challenge = sent.get(CHALLENGE_HEADER);
  // The mapping that lib/registry-api.ts sets up.
  if (status === 401 && challenge !== undefined) sent.set('www-authenticate', challenge);
  if (!sent.has('content-type')) sent.set('content-type', 'text/plain;charset=UTF-8');
  if (method !== 'HEAD' || options.contentLengthOnHead === 'recomputed' || !sent.has('content-length')) {
    sent.set('content-length', `${body.length}`);
  }
  if (status === 204 || status === 304) sent.delete('content-length');
  return { status, headers: [...sent, ...cookies.map((cookie) => ['set-cookie', cookie] as const)], body };
}

/** An answer of the gateway's own; an HTTP API does not let its form be changed. */
export function gatewayAnswer(status: number, message: string): Answer {
  const body = Buffer.from(JSON.stringify({ message }));
  const headers = [
    ['content-type', 'application/json'],
    ['content-length', `${body.length}`],
  ] as const;
  return { status, headers, body };
}

/** What has no status code is taken for the JSON body of a 200. */
function structured(result: APIGatewayProxyResultV2): APIGatewayProxyStructuredResultV2 {
  if (typeof result === 'object' && result !== null && 'statusCode' in result) return result;
  const body = typeof result === 'string' ? result : JSON.stringify(result ?? null);
  return { headers: { 'content-type': 'application/json' }, body };
}

function nameSent(name: string, { challenge }: AnswerOptions): string {
  const renamed =
    RENAMED.has(name) || OVERWRITTEN.has(name) || (name === 'www-authenticate' && challenge === 'renamed');
  return renamed ? `x-amzn-remapped-${name}` : name;
}
