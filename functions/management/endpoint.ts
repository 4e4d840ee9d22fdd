import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { readAtMost } from '../http/body.ts';
import { single } from '../http/query.ts';
import { MAX_FORM_BYTES } from '../limits.ts';
import {
  bodyMalformed,
  bodyTooLarge,
  inputInvalid,
  mediaTypeUnsupported,
  type Violation,
} from '../oci/errors.ts';

const JSON_TYPE = 'application/json';
const NO_QUERY = z.strictObject({});

/** One endpoint of the management API: what it takes and answers, and what it does. The document is made of it. */
export interface Endpoint {
  readonly summary: string;
  readonly query: z.ZodObject;
  readonly body: z.ZodType | undefined;
  /** What it answers where it does what it is asked to, by status; `undefined` is an answer without a body. */
  readonly answers: Readonly<Record<number, z.ZodType | undefined>>;
  /** When it refuses, besides what every endpoint refuses. */
  readonly problems: Readonly<Record<number, string>>;
  answer(call: Call): Promise<Response>;
}

interface EndpointOptions<Q extends z.ZodObject, B extends z.ZodType, A extends z.ZodType> {
  readonly summary: string;
  /** @default no parameters */
  readonly query?: Q;
  /** @default no body */
  readonly body?: B;
  /** @default 200 with an answer, 204 without */
  readonly status?: number;
  /** @default no body */
  readonly answer?: A;
  /** Other statuses it may answer with, by a `Response` of its own. */
  readonly also?: Readonly<Record<number, z.ZodType | undefined>>;
  readonly problems?: Readonly<Record<number, string>>;
  /** Throws where the caller may not, before anything of the request is looked at. @default in `handle` */
  readonly allow?: (call: Call) => Promise<unknown>;
  readonly handle: (
    call: Call,
    input: { readonly query: z.output<Q>; readonly body: z.output<B> },
  ) => Promise<z.output<A> | Response>;
}

/** Checks what a request brings against the schemas before it is handled. */
export function endpoint<
  Q extends z.ZodObject = typeof NO_QUERY,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType = z.ZodVoid,
>({
  summary,
  query,
  body,
  answer,
  also,
  problems,
  allow,
  handle,
  ...rest
}: EndpointOptions<Q, B, A>): Endpoint {
  const status = rest.status ?? (answer ? 200 : 204);
  return {
    summary,
    query: query ?? NO_QUERY,
    body,
    answers: { [status]: answer, ...also },
    problems: problems ?? {},
    async answer(call) {
      await allow?.(call);
      const input = {
        query: checked('query', query ?? NO_QUERY, queryOf(call)) as z.output<Q>,
        body: (body && checked('body', body, await bodyOf(call))) as z.output<B>,
      };
      const result = await handle(call, input);
      if (result instanceof Response) return result;
      return answer ? answered(result, status) : new Response(null, { status });
    },
  };
}

/** An answer of the API; none is kept by anything on its way, since some hold secrets. */
export function answered(body: unknown, status: number, headers: Readonly<Record<string, string>> = {}) {
  return Response.json(body, { status, headers: { 'Cache-Control': 'no-store', ...headers } });
}

function checked<S extends z.ZodType>(what: 'body' | 'query', schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const violations = result.error.issues.flatMap(violationsOf);
  // One is enough to mend a place.
  throw inputInvalid(
    what,
    [...Map.groupBy(violations, ({ path }) => path).values()].flatMap(([first]) => first ?? []),
  );
}

/** A field that is not known is named, like any other that is wrong. */
function violationsOf(issue: z.core.$ZodIssue): Violation[] {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys') return [{ path: path.join('.'), message: issue.message }];
  return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: 'is not known here' }));
}

function queryOf({ query }: Call): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...new Set(query.keys())].map((name) => [name, single(query, name) ?? '']));
}

/** A request without a body and without a type is one without fields. */
async function bodyOf({ request, readings }: Call): Promise<unknown> {
  const type = request.headers.get('content-type');
  const bytes = await readAtMost(request, MAX_FORM_BYTES, readings);
  if (!bytes) throw bodyTooLarge(MAX_FORM_BYTES);
  if (type === null && bytes.length === 0) return {};
  if (type?.split(';')[0]?.trim().toLowerCase() !== JSON_TYPE) throw mediaTypeUnsupported(JSON_TYPE);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw bodyMalformed();
  }
}
