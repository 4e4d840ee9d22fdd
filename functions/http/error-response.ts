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
        : { status: 500, message: INTERNAL, headers: {}, violations: [] },
    );
  }
  if (error instanceof RegistryError) {
    return Response.json({ errors: error.entries }, { status: error.status, headers: error.headers });
  }
  return Response.json({ errors: [{ code: 'UNKNOWN', message: INTERNAL }] }, { status: 500 });
}
