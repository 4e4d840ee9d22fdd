import { RegistryError } from '../oci/errors.ts';
import { problemResponse } from './problem.ts';

const INTERNAL = 'internal error; the registry has logged the cause';

/** The response to whatever a handler threw, in the specification's form; on a path under `/api/`, as a problem. What is not a
 *  `RegistryError` is our fault: a 500 whose cause stays in the log.
 *  https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes */
export function errorResponse(error: unknown, path: string): Response {
  if (path.startsWith('/api/')) {
    return problemResponse(
      error instanceof RegistryError
        ? error
        : { status: 500, message: INTERNAL, headers: {}, violations: [], kind: 'internal', params: {} },
    );
  }
  if (error instanceof RegistryError) {
    const { entries, status, headers, message } = error;
    // Some clients show of a refusal no more than the status line, where HTTP has one.
    const reason = [403, 503, 507].includes(status) ? { statusText: asciiOf(message) } : {};
    return Response.json({ errors: entries }, { status, headers, ...reason });
  }
  return Response.json({ errors: [{ code: 'UNKNOWN', message: INTERNAL }] }, { status: 500 });
}

/** The reason of a refusal as a header, for the answer to a HEAD, which has no body to say it in: some clients print
 *  warnings. https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#warnings */
export function warningOf({ message }: RegistryError): string {
  return `299 - "${asciiOf(message).replaceAll('"', "'")}"`; // not every client takes a quoted quote
}

/** Without a backslash either, which would quote what follows it. */
const asciiOf = (text: string) => text.replaceAll(/[^ -[\]-~]/g, '?');
