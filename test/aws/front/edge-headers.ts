import type { EdgeValues } from './edge-event.ts';

// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html#function-restrictions-headers

/** Headers that a function never sees and may not add. */
const DISALLOWED = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'trailer',
  'upgrade',
  'x-accel-buffering',
  'x-accel-charset',
  'x-accel-limit-rate',
  'x-accel-redirect',
  'x-amzn-auth',
  'x-amzn-cf-billing',
  'x-amzn-cf-id',
  'x-amzn-cf-xff',
  'x-amzn-errortype',
  'x-amzn-fle-profile',
  'x-amzn-header-count',
  'x-amzn-header-order',
  'x-amzn-lambda-integration-tag',
  'x-amzn-requestid',
  'x-cache',
  'x-forwarded-proto',
  'x-real-ip',
]);
const DISALLOWED_PREFIXES = ['x-amz-cf-', 'x-edge-'];

/** What a viewer-request function may read and neither add, change nor delete. */
export const READ_ONLY_IN_REQUEST = ['content-length', 'host', 'transfer-encoding', 'via'];

/** The same of a viewer-response function. AWS names `warning` and `via`; that the others describe a body which no
 *  function sees is reason enough to keep off them. */
export const READ_ONLY_IN_RESPONSE = [
  'content-encoding',
  'content-length',
  'transfer-encoding',
  'via',
  'warning',
];

export function isDisallowed(name: string): boolean {
  return DISALLOWED.has(name) || DISALLOWED_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** The headers that a function is shown. */
export function shown(headers: EdgeValues): EdgeValues {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isDisallowed(name)));
}

/** The headers that no function is shown. */
export function hidden(headers: EdgeValues): EdgeValues {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => isDisallowed(name)));
}
