import type { Answered } from '../functions/app.ts';
import { describeError } from '../functions/telemetry/describe-error.ts';

/** One line per request: for people on a terminal, JSON anywhere else. Lines of one turn of the event loop go
 *  out together. */
export function createLog(output: NodeJS.WriteStream): (answered: Answered) => void {
  const format = output.isTTY ? forPeople : forMachines;
  let pending = '';
  const flush = () => {
    output.write(pending);
    pending = '';
  };
  return (answered) => {
    if (pending === '') setImmediate(flush);
    pending += `${format(answered)}\n`;
  };
}

function forMachines(answered: Answered): string {
  const { request, response, operation, principal, address, started, milliseconds, cause } = answered;
  return JSON.stringify({
    time: new Date(started).toISOString(),
    method: request.method,
    path: pathOf(request),
    operation,
    principal,
    address,
    status: response.status,
    milliseconds,
    bytes: Number(response.headers.get('content-length') ?? 0),
    userAgent: request.headers.get('user-agent') ?? undefined,
    error: cause === undefined ? undefined : describeError(cause),
  });
}

function forPeople({ request, response, started, milliseconds, cause }: Answered): string {
  const time = new Date(started).toISOString().slice(11, 23);
  const line = `${time} ${response.status} ${request.method.padEnd(6)} ${pathOf(request)} ${milliseconds} ms`;
  return cause === undefined ? line : `${line}\n${describeError(cause)}`;
}

/** Without the query, which may hold what nobody should read in a log. */
const pathOf = ({ url }: Request) => new URL(url).pathname;
