import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { APIGatewayProxyEventV2, APIGatewayProxyResultV2, Context } from 'aws-lambda';
import { type Answer, type AnswerOptions, answerOf, gatewayAnswer } from './answer.ts';
import { type EventOptions, eventOf } from './event.ts';
import { KEEP_ALIVE_MS, MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_PAYLOAD_BYTES, TIMEOUT_MS } from './limits.ts';

// API Gateway's HTTP API with a Lambda function behind it, as far as clients and functions can tell: the event's
// form, every limit, and what happens to headers. What AWS does not document can be had both ways.

type Handler = (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyResultV2>;

interface GatewayOptions extends Partial<EventOptions & AnswerOptions> {
  /** Called as Lambda does, with JSON that was written and read; many at once, as many containers would be. */
  readonly handler: Handler;
  /** @default 0 - any free one */
  readonly port?: number;
  /** Says of each request whether the gateway answers it by itself. @default none */
  readonly trouble?: (incoming: IncomingMessage) => GatewayTrouble | undefined;
  /** @default 30,000, which is AWS's */
  readonly timeoutMilliseconds?: number;
}

/** An answer of the gateway's own, in place of the function's. */
export interface GatewayTrouble {
  readonly status: number;
  readonly message: string;
  /** Whether the function has run all the same. */
  readonly isLate: boolean;
}

export interface Gateway {
  readonly url: string;
  /** Resolves when every request under way has been answered. */
  close(): Promise<void>;
}

type Settings = Required<GatewayOptions>;

/** Starts the gateway on this machine. By default bodies of text types arrive as text, HEAD keeps the function's
 *  Content-Length, and `WWW-Authenticate` is renamed. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const settings: Settings = {
    port: 0,
    timeoutMilliseconds: TIMEOUT_MS,
    textTypes: true,
    contentLengthOnHead: 'kept',
    challenge: 'renamed',
    trouble: () => undefined,
    ...options,
  };
  const limits = { keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: 4 * MAX_HEAD_BYTES, requestTimeout: 0 };
  const server = createServer(limits);
  server.on('request', (incoming, outgoing) => {
    respond(incoming, outgoing, settings).catch(() => outgoing.destroy());
  });
  server.listen(settings.port, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.close();
      server.closeIdleConnections();
      await once(server, 'close');
    },
  };
}

async function respond(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  settings: Settings,
): Promise<void> {
  const body = await bodyOf(incoming);
  const { status, headers, body: bytes } = await answer(incoming, body, settings);
  const own = ['apigw-requestid', randomUUID().slice(0, 16)];
  outgoing.writeHead(status, [...headers.flat(), ...own]);
  outgoing.end(incoming.method === 'HEAD' ? undefined : bytes);
}

async function answer(
  incoming: IncomingMessage,
  body: Buffer | undefined,
  settings: Settings,
): Promise<Answer> {
  if (headBytes(incoming) > MAX_HEAD_BYTES) return gatewayAnswer(431, 'Request Header Fields Too Large');
  if (!body) return gatewayAnswer(413, 'Request Entity Too Large');
  const payload = JSON.stringify(eventOf(incoming, body, settings));
  if (Buffer.byteLength(payload) > MAX_PAYLOAD_BYTES) return gatewayAnswer(413, 'Request Entity Too Large');
  const trouble = settings.trouble(incoming);
  if (trouble && !trouble.isLate) return gatewayAnswer(trouble.status, trouble.message);
  const answered = await invokedInTime(payload, incoming, settings);
  return trouble ? gatewayAnswer(trouble.status, trouble.message) : answered;
}

async function invokedInTime(
  payload: string,
  incoming: IncomingMessage,
  settings: Settings,
): Promise<Answer> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      invoke(payload, incoming.method ?? 'GET', settings),
      timedOut(settings.timeoutMilliseconds, timer.signal),
    ]);
  } catch {
    return gatewayAnswer(500, 'Internal Server Error');
  } finally {
    timer.abort();
  }
}

async function timedOut(milliseconds: number, signal: AbortSignal): Promise<Answer> {
  await setTimeout(milliseconds, undefined, { signal });
  return gatewayAnswer(503, 'Service Unavailable');
}

/** Calls the function. Fails where it does, and where its answer is too large or none. */
async function invoke(payload: string, method: string, settings: Settings): Promise<Answer> {
  const deadline = Date.now() + settings.timeoutMilliseconds;
  const result = await settings.handler(JSON.parse(payload), contextOf(deadline));
  const json = JSON.stringify(result);
  if (Buffer.byteLength(json) > MAX_PAYLOAD_BYTES) throw new Error('Function.ResponseSizeTooLarge');
  return answerOf(JSON.parse(json), method, settings);
}

function contextOf(deadline: number): Context {
  const ended = () => {
    throw new Error('gone from Node.js functions');
  };
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'api',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:eu-west-1:123456789012:function:api',
    memoryLimitInMB: '512',
    awsRequestId: randomUUID(),
    logGroupName: '/aws/lambda/api',
    logStreamName: 'test',
    getRemainingTimeInMillis: () => deadline - Date.now(),
    done: ended,
    fail: ended,
    succeed: ended,
  };
}

/** The whole body, `undefined` where it is too large; read to its end either way, so that the client gets to read
 *  the answer. */
async function bodyOf(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return size <= MAX_BODY_BYTES ? Buffer.concat(chunks) : undefined;
}

function headBytes({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  const requestLine = `${method} ${url} HTTP/1.1\r\n`.length;
  // `: ` after a name, a line break after a value.
  return rawHeaders.reduce((bytes, text) => bytes + text.length + 2, requestLine);
}
