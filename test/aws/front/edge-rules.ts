import { EdgeFunctionError } from './edge-error.ts';
import type { EdgeRequest, EdgeResponse, EdgeValue, EdgeValues } from './edge-event.ts';
import { isDisallowed, READ_ONLY_IN_REQUEST, READ_ONLY_IN_RESPONSE } from './edge-headers.ts';

/** CloudFront's: the body of a response that a function makes. */
const MAX_BODY_BYTES = 40 * 1024;

/** CloudFront's: path and query. */
const MAX_URL_BYTES = 8192;

/** CloudFront answers 502 where a function hands back what it may not. */
export const invalid = (why: string) => new EdgeFunctionError(502, `FunctionValidationError: ${why}`);

/** Throws unless CloudFront would send `after` on to the origin in place of `before`. */
export function checkRequest(before: EdgeRequest, after: EdgeRequest): void {
  if (after.method !== before.method) throw invalid(`the method may not be changed to ${after.method}`);
  checkUri(after.uri);
  checkValues('query parameter', after.querystring);
  checkValues('cookie', after.cookies);
  checkHeaders(before.headers, after.headers, READ_ONLY_IN_REQUEST);
}

/** Throws unless CloudFront would send the response that a viewer-request function has made. */
export function checkGenerated(response: EdgeResponse): void {
  checkStatus(response.statusCode);
  checkHeaders({}, response.headers, READ_ONLY_IN_RESPONSE);
  checkValues('cookie', response.cookies ?? {});
  const { body } = response;
  if (body === undefined) return;
  if (typeof body.data !== 'string' || (body.encoding !== 'text' && body.encoding !== 'base64')) {
    throw invalid('the body is not {encoding: "text" or "base64", data}');
  }
  const bytes = Buffer.byteLength(body.data);
  if (bytes > MAX_BODY_BYTES) throw invalid(`a body of ${bytes} bytes is over ${MAX_BODY_BYTES}`);
}

/** Throws unless CloudFront would send `after` to the viewer in place of `before`. */
export function checkResponse(before: EdgeResponse, after: EdgeResponse): void {
  checkStatus(after.statusCode);
  checkHeaders(before.headers, after.headers, READ_ONLY_IN_RESPONSE);
  checkValues('cookie', after.cookies ?? {});
  if (after.body !== undefined) throw invalid('the body of an origin may not be replaced');
}

function checkUri(uri: unknown): void {
  if (typeof uri !== 'string' || !/^\/[^\s?#]*$/.test(uri)) {
    throw invalid(`the uri has to begin with a slash and be a path alone: ${JSON.stringify(uri)}`);
  }
  if (Buffer.byteLength(uri) > MAX_URL_BYTES) throw invalid(`the uri is over ${MAX_URL_BYTES} bytes`);
}

function checkStatus(status: unknown): void {
  if (!Number.isInteger(status) || Number(status) < 200 || Number(status) > 599) {
    throw invalid(`${JSON.stringify(status)} is no status code`);
  }
}

function checkHeaders(before: EdgeValues, after: EdgeValues, readOnly: readonly string[]): void {
  checkValues('header', after);
  for (const name of Object.keys(after)) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) {
      throw invalid(`the name of the header ${JSON.stringify(name)} is not one in lower case`);
    }
    if (isDisallowed(name)) throw invalid(`the header ${name} is disallowed`);
  }
  for (const name of readOnly) {
    const isSame = JSON.stringify(textsOf(before[name])) === JSON.stringify(textsOf(after[name]));
    if (!isSame) throw invalid(`the header ${name} is read-only`);
  }
}

function checkValues(kind: string, values: unknown): void {
  if (!isObject(values)) throw invalid(`the object with every ${kind} is missing`);
  for (const [name, entry] of Object.entries(values)) {
    const texts = isObject(entry) ? textsOf(entry as unknown as EdgeValue) : [undefined];
    if (!texts.every(isText)) throw invalid(`the ${kind} ${JSON.stringify(name)} is not {value: text}`);
  }
}

function textsOf(entry: EdgeValue | undefined): unknown[] {
  if (entry === undefined) return [];
  return [entry.value, ...(entry.multiValue ?? []).map(({ value }) => value)];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Without control characters, which no header and no query has room for. */
function isText(value: unknown): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return typeof value === 'string' && !/[\0-\x08\x0a-\x1f\x7f]/.test(value);
}
