import { STATUS_CODES } from 'node:http';
import type { RegistryError } from '../oci/errors.ts';

type Refusal = Pick<RegistryError, 'status' | 'message' | 'headers' | 'violations' | 'kind' | 'params'>;

/** An error of the management API. The status says what kind it is, `detail` what this one is about, and `errors` each
 *  place in the request that is wrong. https://www.rfc-editor.org/rfc/rfc9457 */
export function problemResponse({ status, message, headers, violations, kind, params }: Refusal): Response {
  const problem = {
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    detail: message,
    code: kind,
    ...(Object.keys(params).length > 0 && { params }),
    ...(violations.length > 0 && { errors: violations }),
  };
  return Response.json(problem, {
    status,
    headers: { 'Cache-Control': 'no-store', ...headers, 'Content-Type': 'application/problem+json' },
  });
}
