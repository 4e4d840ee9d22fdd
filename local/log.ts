import type { Answered } from '../functions/app.ts';
import { describeError } from '../functions/telemetry/describe-error.ts';
import { requestLine } from '../functions/telemetry/lines.ts';

/** One line per request: for people on a terminal, JSON anywhere else. Lines of one turn of the event loop go
 *  out together. Where nobody takes them they are lost, and the registry goes on: `tell` is told when that begins, and the
 *  log itself how many, when it is over. */
export function createLog(
  output: NodeJS.WriteStream,
  tell: (what: string) => void,
): (answered: Answered) => void {
  const format = output.isTTY ? forPeople : forMachines;
  let [pending, lost] = [[] as string[], 0];
  output.on('error', () => undefined); // told below; without a listener it would end the process
  const flush = () => {
    const lines = lost > 0 ? [gapLine(lost), ...pending] : pending;
    const count = pending.length;
    pending = [];
    output.write(`${lines.join('\n')}\n`, (error) => {
      if (error && lost === 0) tell(`the log cannot be written, and its lines are lost: ${error.message}`);
      lost = error ? lost + count : 0;
    });
  };
  return (answered) => {
    if (pending.length === 0) setImmediate(flush);
    pending.push(format(answered));
  };
}

/** On a line of its own, whatever of the last one has been written. */
const gapLine = (lost: number) =>
  `\n${JSON.stringify({ time: new Date().toISOString(), level: 'error', error: `${lost} lines of this log were lost` })}`;

function forMachines(answered: Answered): string {
  const { request, response, started, cause, requestId, operation, repository, ...told } = answered;
  return requestLine({
    time: started,
    requestId,
    operation,
    repository,
    method: request.method,
    path: pathOf(request),
    status: response.status,
    bytes: Number(response.headers.get('content-length') ?? 0),
    userAgent: request.headers.get('user-agent') ?? undefined,
    error: cause,
    ...told,
  });
}

function forPeople({ request, response, started, milliseconds, cause }: Answered): string {
  const time = new Date(started).toISOString().slice(11, 23);
  const line = `${time} ${response.status} ${request.method.padEnd(6)} ${pathOf(request)} ${milliseconds} ms`;
  return cause === undefined ? line : `${line}\n${describeError(cause)}`;
}

/** Without the query, which may hold what nobody should read in a log. */
const pathOf = ({ url }: Request) => new URL(url).pathname;
