import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

/** What becomes of one call: it waits, or fails without effect. */
export type SsmFault =
  | { readonly delayMs: number }
  | { readonly code: 'InternalServerError' | 'ThrottlingException' | 'AccessDeniedException' };

export interface SsmServer {
  readonly url: string;
  /** Operations in the order of their arrival. */
  readonly calls: readonly string[];
  /** The parameters' values, which a test may set and delete. */
  readonly parameters: Map<string, string>;
  close(): Promise<void>;
}

interface SsmServerOptions {
  /** Called for each request, before its effect. */
  readonly before?: (operation: string) => SsmFault | undefined;
}

type Input = Readonly<Record<string, unknown>>;
type Operation = (parameters: Map<string, string>, input: Input) => object;

/** An error as SSM answers it. */
class SsmError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const MAX_STANDARD_BYTES = 4096;

/** What the registry asks of SSM, and nothing else. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  GetParameter(parameters, { Name, WithDecryption }) {
    const value = parameters.get(`${Name}`);
    if (value === undefined) throw new SsmError('ParameterNotFound', `Parameter ${Name} not found.`);
    const Value = WithDecryption === true ? value : Buffer.from(`encrypted:${value}`).toString('base64');
    return { Parameter: { Name, Type: 'SecureString', Value, Version: 1 } };
  },
  PutParameter(parameters, { Name, Value, Type, Tier, Overwrite }) {
    if (Type !== 'SecureString' || Tier !== 'Standard' || typeof Value !== 'string') {
      throw new SsmError(
        'ValidationException',
        'This stand-in keeps standard parameters of type SecureString.',
      );
    }
    if (Buffer.byteLength(Value) > MAX_STANDARD_BYTES) {
      throw new SsmError(
        'ValidationException',
        'Standard tier parameters support a maximum of 4096 characters.',
      );
    }
    if (Overwrite !== true && parameters.has(`${Name}`)) {
      throw new SsmError('ParameterAlreadyExists', 'The parameter already exists.');
    }
    parameters.set(`${Name}`, Value);
    return { Version: 1, Tier };
  },
};

/** As long as connections of the SDK stay idle. */
const KEEP_ALIVE_MS = 60_000;

/** An SSM that keeps parameters in memory; it looks whether requests are signed for SSM, not by whom. */
export async function startSsm({ before }: SsmServerOptions = {}): Promise<SsmServer> {
  const parameters = new Map<string, string>();
  const calls: string[] = [];

  async function perform(request: IncomingMessage): Promise<object> {
    const input = JSON.parse(await text(request)) as Input;
    if (!/^AWS4-HMAC-SHA256 Credential=[^,]+\/ssm\/aws4_request,/.test(request.headers.authorization ?? '')) {
      throw new SsmError('IncompleteSignatureException', 'The request is not signed for this service.');
    }
    const [, name = ''] = /^AmazonSSM\.(\w+)$/.exec(`${request.headers['x-amz-target']}`) ?? [];
    calls.push(name);
    const fault = before?.(name);
    if (fault && 'delayMs' in fault) await delay(fault.delayMs);
    if (fault && 'code' in fault) throw new SsmError(fault.code, 'A fault that the test asked for.');
    const operation = OPERATIONS[name];
    if (!operation) throw new SsmError('UnknownOperationException', `There is no ${name} here.`);
    return operation(parameters, input);
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    perform(request).then(
      (output) => send(response, 200, output),
      (error: unknown) => sendError(response, error),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    calls,
    parameters,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function sendError(response: ServerResponse, error: unknown): void {
  const { code, message } =
    error instanceof SsmError ? error : new SsmError('InternalServerError', `${error}`);
  send(response, code === 'InternalServerError' ? 500 : 400, { __type: code, message });
}

function send(response: ServerResponse, status: number, body: object): void {
  const headers = { 'Content-Type': 'application/x-amz-json-1.1', Date: new Date().toUTCString() };
  response.writeHead(status, headers).end(JSON.stringify(body));
}
