import type { IncomingMessage } from 'node:http';
import type { GatewayTrouble } from '../gateway/gateway.ts';
import type { EdgeRequest, EdgeResponse, EdgeValues } from './edge-event.ts';
import type { FaultName, Faults } from './faults.ts';
import type { Refusal } from './limits.ts';

/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:1';

const ELSEWHERE = 'https://registry.invalid';

/** What a front door that has a fault refuses, though it should not. */
export function faultyRefusal(faults: Faults, incoming: IncomingMessage): Refusal | undefined {
  const { headers } = incoming;
  if (faults.has('chunked-refused') && headers['transfer-encoding'] !== undefined) {
    return { status: 501, why: 'Transfer-Encoding is not supported.' };
  }
  if (faults.isFirst('front-503', incoming)) return { status: 503, why: 'The origin is busy.' };
  const limit = faults.number('large-put-refused');
  if (limit !== undefined && Number(headers['content-length'] ?? 0) > limit) {
    return { status: 413, why: 'The request body is too large.' };
  }
  return undefined;
}

const GATEWAY_TROUBLES = {
  'gateway-429': { status: 429, message: 'Too Many Requests', isLate: false },
  'gateway-503': { status: 503, message: 'Service Unavailable', isLate: false },
  'gateway-504': { status: 504, message: 'Gateway Timeout', isLate: true },
  'gateway-413': { status: 413, message: 'Request Entity Too Large', isLate: false },
} as const satisfies Partial<Record<FaultName, GatewayTrouble>>;

/** What a gateway that has such a fault answers to this request by itself. */
export function gatewayTrouble(faults: Faults, incoming: IncomingMessage): GatewayTrouble | undefined {
  const names = Object.keys(GATEWAY_TROUBLES) as (keyof typeof GATEWAY_TROUBLES)[];
  const name = names.find((each) => faults.isFirst(each, incoming));
  return name && GATEWAY_TROUBLES[name];
}

/** Where a front door that has the fault sends a PATCH. */
export function faultyRedirect(
  faults: Faults,
  { method, url = '/' }: IncomingMessage,
): EdgeResponse | undefined {
  if (!faults.has('patch-redirected') || method !== 'PATCH') return undefined;
  return { statusCode: 307, headers: { location: { value: url }, 'content-length': { value: '0' } } };
}

/** What S3 is asked, without the checks that the faults leave out. */
export function faultyUpload(faults: Faults, request: EdgeRequest): EdgeRequest {
  const dropped = [
    ...(faults.has('checksum-ignored') ? ['x-amz-checksum-sha256', 'x-amz-content-sha256'] : []),
    ...(faults.has('no-if-none-match') ? ['if-none-match'] : []),
  ];
  return { ...request, headers: without(request.headers, dropped) };
}

/** An answer as the faults disfigure it. */
export function faultyAnswer(
  faults: Faults,
  { method }: IncomingMessage,
  response: EdgeResponse,
): EdgeResponse {
  let { headers } = response;
  const challenge = headers['www-authenticate'];
  if (faults.has('challenge-renamed') && challenge) {
    headers = { ...without(headers, ['www-authenticate']), 'x-amzn-remapped-www-authenticate': challenge };
  }
  if (faults.has('head-length-zero') && method === 'HEAD') {
    headers = { ...headers, 'content-length': { value: '0' } };
  }
  const location = headers['location']?.value;
  if (faults.has('redirect-broken') && response.statusCode === 307 && location !== undefined) {
    headers = { ...headers, location: { value: moved(location, NOWHERE) } };
  } else if (faults.has('location-absolute') && location?.startsWith('/')) {
    headers = { ...headers, location: { value: moved(location, ELSEWHERE) } };
  }
  return { ...response, headers };
}

const moved = (location: string, origin: string) => `${origin}${location.replace(/^https?:\/\/[^/]+/, '')}`;

const without = (headers: EdgeValues, names: readonly string[]): EdgeValues =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
