import middy, { type MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { createApp } from './app.ts';
import { createAwsRegistry } from './aws.ts';
import { errorResponse } from './http/error-response.ts';
import { requestOf, resultOf } from './http/lambda.ts';
import { createRouter } from './http/router.ts';
import { ROUTES } from './routes.ts';
import { requestLine } from './telemetry/lines.ts';
import { type Measured, startMeter } from './telemetry/meter.ts';

type Event = APIGatewayProxyEventV2;
type Result = APIGatewayProxyStructuredResultV2;

/** Kept back from Lambda's timeout, to log and to answer before it ends the function. */
const TIMEOUT_RESERVE_MS = 500;

const { registry, callsMade } = createAwsRegistry(process.env);
const match = createRouter(ROUTES);

/** What went wrong behind an answer, where it is not the client's doing. */
const causes = new WeakMap<Response | Result, unknown>();

const app = createApp({ registry, onAnswer: ({ response, cause }) => causes.set(response, cause) });

async function answer(event: Event): Promise<Result> {
  const request = requestOf(event);
  if (!request) return { statusCode: 400 };
  const response = await app(request);
  const result = await resultOf(response);
  causes.set(result, causes.get(response));
  return result;
}

/** One line for each request. What fails outside the app, a timeout too, is answered as the app answers. */
const telemetry: MiddlewareObj<Event, Result, Error, Context, { meter?: () => Measured }> = {
  before({ internal }) {
    internal.meter = startMeter(callsMade);
  },
  after({ event, context, internal, response }) {
    if (response) log(event, context, response, internal.meter, causes.get(response));
  },
  async onError(request) {
    const { event, context, internal, error } = request;
    request.response = await resultOf(errorResponse(error));
    log(event, context, request.response, internal.meter, error);
  },
};

function log(event: Event, context: Context, result: Result, meter = startMeter(callsMade), error?: unknown) {
  const { requestId, http } = event.requestContext;
  const found = match(http.method, event.rawPath);
  const route = found.is === 'found' ? found : undefined;
  const line = requestLine({
    ...meter(),
    requestId,
    invocationId: context.awsRequestId,
    method: http.method,
    operation: route?.endpoint.operation,
    repository: route?.params['name'],
    userAgent: http.userAgent,
    status: result.statusCode ?? 200,
    error,
  });
  process.stdout.write(`${line}\n`);
}

/** Answers one request of the HTTP API. */
export const handler = middy<Event, Result>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(telemetry)
  .handler(answer);
