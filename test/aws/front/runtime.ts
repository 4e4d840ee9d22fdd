import { type EdgeEvent, type EdgeSettings, edgeCode } from '../../../lib/edge-code.ts';
import type { EdgeRequest, EdgeResponse } from './edge-event.ts';
import { hidden, shown } from './edge-headers.ts';
import { checkGenerated, checkRequest, checkResponse, invalid } from './edge-rules.ts';
import { EdgeScript } from './edge-script.ts';

/** What came of a viewer request: it goes on to an origin, or the function has answered it. */
export type RequestOutcome =
  | { is: 'request'; request: EdgeRequest; origin: string }
  | { is: 'response'; response: EdgeResponse };

/** The functions of a distribution. Both throw an `EdgeFunctionError` where CloudFront would answer 502 or 503. */
export interface EdgeFunctions {
  viewerRequest(request: EdgeRequest, viewer: { ip: string }): Promise<RequestOutcome>;
  /** Of a request as `viewerRequest` left it. CloudFront does not call it for a status of 400 or more. */
  viewerResponse(request: EdgeRequest, response: EdgeResponse): Promise<EdgeResponse>;
}

export interface EdgeOptions {
  /** The text under the one key of the KeyValueStore that the functions read; `undefined` where there is none. */
  readonly kvs: () => Promise<string | undefined>;
  /** The ids of the distribution's origins; the first one is the default behaviour's. */
  readonly origins: readonly string[];
  /** What the code is told of its distribution. */
  readonly settings?: EdgeSettings;
  /** @default what is deployed */
  readonly code?: (event: EdgeEvent) => string;
  /** Milliseconds since 1970. @default the system's clock */
  readonly now?: () => number;
}

/** The two functions of the front door, in the very bytes that are deployed; fails where CloudFront would not
 *  take them. The restrictions of CloudFront's runtime hold here too. What is not kept: its limit on computing time,
 *  and its grammar, which test/edge/syntax.test.ts holds them to. */
export async function loadEdgeFunctions(options: EdgeOptions): Promise<EdgeFunctions> {
  const { code = (event) => edgeCode(event, options.settings) } = options;
  const load = (event: EdgeEvent) => EdgeScript.load(event, code(event));
  const [onRequest, onResponse] = [load('viewer-request'), load('viewer-response')];
  return {
    viewerRequest: (request, viewer) => viewerRequest(onRequest, options, request, viewer),
    viewerResponse: (request, response) => viewerResponse(onResponse, options, request, response),
  };
}

async function viewerRequest(
  script: EdgeScript,
  { kvs, origins, now = Date.now }: EdgeOptions,
  request: EdgeRequest,
  viewer: { ip: string },
): Promise<RequestOutcome> {
  const before = { ...request, headers: shown(request.headers) };
  let [origin = ''] = origins;
  const select = (id: unknown) => {
    const found = origins.find((one) => one === id);
    if (found === undefined) throw new Error(`there is no origin ${id}`);
    origin = found;
  };
  const event = eventOf('viewer-request', { viewer, request: before });
  const result = objectOf(await script.run({ event, kvs, select, now: now() }));
  if ('statusCode' in result) {
    const response = withTextBody(result) as unknown as EdgeResponse;
    checkGenerated({ ...response, headers: response.headers ?? {} });
    return { is: 'response', response: { ...response, headers: response.headers ?? {} } };
  }
  const after = result as unknown as EdgeRequest;
  checkRequest(before, after);
  return { is: 'request', request: after, origin };
}

async function viewerResponse(
  script: EdgeScript,
  { kvs, now = Date.now }: EdgeOptions,
  request: EdgeRequest,
  response: EdgeResponse,
): Promise<EdgeResponse> {
  const before = { ...response, headers: shown(response.headers) };
  const select = () => {
    throw new Error('an origin can be selected in a viewer request only');
  };
  const event = eventOf('viewer-response', { viewer: { ip: '198.51.100.1' }, request, response: before });
  const result = objectOf(await script.run({ event, kvs, select, now: now() }));
  const after = result as unknown as EdgeResponse;
  checkResponse(before, after);
  return { ...after, headers: { ...after.headers, ...hidden(response.headers) } };
}

/** https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html */
function eventOf(eventType: string, content: object): object {
  const context = {
    distributionDomainName: 'd111111abcdef8.cloudfront.net',
    distributionId: 'EDFDVBD6EXAMPLE',
    eventType,
    requestId: 'EXAMPLEntjQpEXAMPLE_SG5Z-EXAMPLEPmPfEXAMPLEu3EqEXAMPLE==',
  };
  return { version: '1.0', context, ...content };
}

function objectOf(result: unknown): Record<string, unknown> {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) {
    throw invalid(`neither a request nor a response: ${JSON.stringify(result)}`);
  }
  return { ...result };
}

/** A body may be given as a text alone. */
function withTextBody(response: Record<string, unknown>): Record<string, unknown> {
  const body = response['body'];
  return typeof body === 'string' ? { ...response, body: { encoding: 'text', data: body } } : response;
}
