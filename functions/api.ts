import middy, { type MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { type Answered, completeHeaders, createApp, REQUEST_ID, refuse } from './app.ts';
import { Authentication } from './auth/authentication.ts';
import { IdTokenVerifier } from './auth/id-tokens.ts';
import { createAwsRegistry, leaseOf } from './aws.ts';
import { CHALLENGE_HEADER, ENV } from './environment.ts';
import { errorResponse } from './http/error-response.ts';
import { requestOf, resultOf } from './http/lambda.ts';
import { createRouter } from './http/router.ts';
import { requestUnreadable } from './oci/host-errors.ts';
import { ALL_ROUTES } from './routes.ts';
import { requestLine } from './telemetry/lines.ts';
import { type Measured, startMeter } from './telemetry/meter.ts';

type Event = APIGatewayProxyEventV2;
type Result = APIGatewayProxyStructuredResultV2;

/** Kept back from Lambda's timeout, to log and to answer before it ends the function. */
const TIMEOUT_RESERVE_MS = 500;

/** So long after its request has begun a writer tries again; its last attempt has the rest of Lambda's 29 s. */
const RACES_MS = 18_000;

const { registry, keys, front, callsMade } = createAwsRegistry(process.env);

const match = createRouter(ALL_ROUTES);

/** What the app knows of a request besides the answer. */
const known = new WeakMap<Request | Result, Answered>();

const app = createApp({
  registry,
  authentication: authenticationFrom(process.env),
  front,
  lease: leaseOf(process.env),
  racesMs: RACES_MS,
  onAnswer: (answered) => known.set(answered.request, answered),
});

function authenticationFrom(environment: NodeJS.ProcessEnv): Authentication | undefined {
  // Only where a test on one machine says where DynamoDB is: a deployment cannot be open.
  if (environment[ENV.open] === '1' && environment[ENV.tableEndpoint]) return undefined;
  if (!keys) throw new Error(`the environment variable ${ENV.signingKeys} is not set`);
  const publicUrl = environment[ENV.publicUrl] || undefined;
  return new Authentication({ registry, keys, publicUrl, workloads: new IdTokenVerifier() });
}

/** When the function is about to time out, `signal` fires, and the client is told an error: nothing is done past that, now or
 *  when the next request wakes this process. */
async function answer(event: Event, _: Context, { signal }: { signal: AbortSignal }): Promise<Result> {
  const request = requestOf(event, signal);
  if (!request) return resultOf(refuse(requestUnreadable()));
  const { requestId, http } = event.requestContext;
  const response = await app(request, { address: http.sourceIp, scheme: 'https', requestId });
  const challenge = response.headers.get('www-authenticate');
  if (challenge !== null) response.headers.set(CHALLENGE_HEADER, challenge);
  const result = await resultOf(response);
  const answered = known.get(request);
  if (answered) known.set(result, answered);
  return result;
}

/** One line for each request. What fails outside the app, a timeout too, is answered as the app answers. */
const telemetry: MiddlewareObj<Event, Result, Error, Context, { meter?: () => Measured }> = {
  before({ internal }) {
    internal.meter = startMeter(callsMade);
  },
  after({ event, context, internal, response }) {
    if (response) log(event, context, response, internal.meter, known.get(response));
  },
  async onError(request) {
    const { event, context, internal, error } = request;
    const response = errorResponse(error, event.rawPath);
    completeHeaders(response);
    response.headers.set(REQUEST_ID, event.requestContext.requestId);
    request.response = await resultOf(response);
    log(event, context, request.response, internal.meter, undefined, error);
  },
};

function log(
  event: Event,
  context: Context,
  result: Result,
  meter = startMeter(callsMade),
  answered?: Answered,
  error: unknown = answered?.cause,
) {
  const { requestId, http } = event.requestContext;
  const place = placeOf(http.method, event.rawPath);
  const line = requestLine({
    ...meter(),
    requestId,
    invocationId: context.awsRequestId,
    method: http.method,
    operation: answered?.operation ?? place.operation,
    repository: answered?.repository ?? place.repository,
    principal: answered?.principal ?? 'unknown',
    userAgent: http.userAgent,
    status: result.statusCode ?? 200,
    error,
  });
  process.stdout.write(`${line}\n`);
}

/** What a request is about that never got through the app. */
function placeOf(method: string, path: string) {
  const found = match(method, path);
  return found.is === 'found'
    ? { operation: found.endpoint.operation, repository: found.params['name'] }
    : { operation: undefined, repository: undefined };
}

/** Answers one request of the HTTP API. */
export const handler = middy<Event, Result>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(telemetry)
  .handler(answer);
