const MEBIBYTE = 1024 * 1024;

/** API Gateway's: the body of a request. */
export const MAX_BODY_BYTES = 10 * MEBIBYTE;

/** API Gateway's: request line and headers together. */
export const MAX_HEAD_BYTES = 10_240;

/** Lambda's: an event, and an answer, as JSON. */
export const MAX_PAYLOAD_BYTES = 6 * MEBIBYTE;

/** API Gateway's: how long an HTTP API waits for a function. */
export const TIMEOUT_MS = 30_000;

/** How long a connection stays open for the next request: longer than CloudFront keeps it, or a request could be sent
 *  while it closes. */
export const KEEP_ALIVE_MS = 60_000;
