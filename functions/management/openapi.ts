import * as z from 'zod';
import { endpoints as audit } from './audit.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { endpoints as grants } from './grants.ts';
import { endpoints as groups } from './groups.ts';
import { endpoints as holds } from './holds.ts';
import { endpoints as images } from './images.ts';
import { endpoints as issuers } from './issuers.ts';
import { endpoints as manifests } from './manifests.ts';
import { endpoints as me } from './me.ts';
import { endpoints as policies } from './policies.ts';
import { endpoints as confirmation } from './policy-confirmation.ts';
import { endpoints as previews } from './previews.ts';
import { endpoints as quotas } from './quotas.ts';
import { endpoints as repositories } from './repositories.ts';
import { endpoints as restore } from './restore.ts';
import { endpoints as robots } from './robots.ts';
import { components, PARAMETERS, Problem } from './schemas.ts';
import { endpoints as search } from './search.ts';
import { endpoints as session } from './session.ts';
import { endpoints as sweep } from './sweep.ts';
import { endpoints as tagChanges } from './tag-changes.ts';
import { endpoints as tagRows } from './tag-rows.ts';
import { endpoints as tags } from './tags.ts';
import { endpoints as tokens } from './tokens.ts';
import { endpoints as traffic } from './traffic.ts';
import { endpoints as trash } from './trash.ts';
import { endpoints as usage } from './usage.ts';
import { endpoints as users } from './users.ts';

/** What the document tells of a row of the route table. */
interface Row {
  readonly method: string;
  /** `/api/v1/users/<user>` */
  readonly path: string;
  readonly operation: string;
  readonly need: string;
}

type Json = Readonly<Record<string, unknown>>;

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  ...session,
  ...me,
  ...users,
  ...tokens,
  ...robots,
  ...groups,
  ...grants,
  ...issuers,
  ...policies,
  ...repositories,
  ...tags,
  ...tagRows,
  ...tagChanges,
  ...images,
  ...manifests,
  ...search,
  ...sweep,
  ...confirmation,
  ...previews,
  ...holds,
  ...usage,
  ...restore,
  ...trash,
  ...quotas,
  ...traffic,
  ...audit,
};

let answering: Endpoint | undefined;

/** The endpoint that answers the OpenAPI document of these rows. */
export function openApi(rows: readonly Row[]): Endpoint {
  answering ??= endpointFor(rows);
  return answering;
}

function endpointFor(rows: readonly Row[]): Endpoint {
  let document: Json | undefined;
  const self: Endpoint = endpoint({
    summary: 'This document',
    answer: z.looseObject({ openapi: z.string() }),
    async handle() {
      document ??= documentOf(rows, { ...ENDPOINTS, 'openapi.get': self });
      return document as { openapi: string };
    },
  });
  return self;
}

const IN_DOCUMENT = '#/components/schemas/';

/** https://spec.openapis.org/oas/v3.1.1.html */
function documentOf(rows: readonly Row[], endpoints: Readonly<Record<string, Endpoint>>): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const row of rows) {
    const served = endpoints[row.operation];
    if (!served) throw new Error(`nothing describes the operation ${row.operation}`);
    const path = row.path.replaceAll(/<([a-z]+)>/g, '{$1}');
    paths[path] = { ...paths[path], [row.method.toLowerCase()]: operationOf(row, served) };
  }
  const { schemas } = z.toJSONSchema(components, { uri: (id) => IN_DOCUMENT + id });
  return {
    openapi: '3.1.1',
    info: {
      title: 'Stowage management API',
      version: '1',
      description:
        'Users and what they may do, repositories and what they hold, policies, and the audit trail.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { session: [] }],
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, plain(schema)])),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'From `/token?scope=registry:api:*`, with user name and password (Basic).',
        },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-stowage',
          description: 'Of a browser, for the web page of the registry alone.',
        },
      },
    },
  };
}

function operationOf({ method, path, operation, need }: Row, served: Endpoint): Json {
  const parameters = [...pathParameters(path), ...queryParameters(served)];
  const [tag] = operation.split('.');
  return {
    operationId: operation,
    tags: [tag],
    summary: served.summary,
    ...(need === 'nothing' && { security: [] }),
    ...(need === 'view' && { security: [{ bearer: [] }, {}] }),
    ...(parameters.length > 0 && { parameters }),
    ...(served.body && {
      requestBody: {
        required: !served.body.safeParse({}).success,
        content: { 'application/json': { schema: schemaOf(served.body) } },
      },
    }),
    responses: { ...answersOf(served), ...problemsOf({ method, path, need }, served) },
  };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/<([a-z]+)>/g)].map(([, name = '']) => {
    const schema = PARAMETERS[name];
    if (!schema) throw new Error(`nothing describes the parameter ${name}`);
    return { name, in: 'path', required: true, ...describedSchema(schema) };
  });
}

function queryParameters({ query }: Endpoint): Json[] {
  return Object.entries(query.shape as Readonly<Record<string, z.ZodType>>).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !schema.safeParse(undefined).success,
    ...describedSchema(schema),
  }));
}

/** A parameter has its description beside its schema. */
function describedSchema(schema: z.ZodType): Json {
  const { description, ...rest } = plain(z.toJSONSchema(schema, { io: 'input' })) as Json;
  return { ...(description !== undefined && { description }), schema: rest };
}

function answersOf({ answers }: Endpoint): Json {
  const entries = Object.entries(answers).map(([status, schema]) => {
    const content = schema && { content: { 'application/json': { schema: schemaOf(schema) } } };
    return [status, { description: DESCRIPTIONS[status] ?? 'Done.', ...content }];
  });
  return Object.fromEntries(entries);
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  200: 'Done.',
  201: 'Made.',
  202: 'Not done yet: send the request again after `Retry-After`.',
  204: 'Done; there is no body.',
  304: 'The same as the client has, by `If-None-Match`.',
};

/** What every endpoint refuses, and what this one does besides. */
function problemsOf({ method, path, need }: Omit<Row, 'operation'>, { body, problems }: Endpoint): Json {
  const wanted: Readonly<Record<string, string | false>> = {
    400: 'The request does not fit this document; `errors` names each place.',
    401: need !== 'nothing' && 'There is no valid token; `WWW-Authenticate` says where to get one.',
    403: need !== 'nothing' && 'The caller may not do this; `detail` says what is missing.',
    404: path.includes('<') && 'There is no such thing, or the caller may not see it.',
    413: body !== undefined && 'The body is too large.',
    415: body !== undefined && 'The body is not `application/json`.',
    429: method !== 'GET' && 'Others change the same at this moment; try again after `Retry-After`.',
    ...problems,
  };
  const content = { 'application/problem+json': { schema: schemaOf(Problem) } };
  const entries = Object.entries(wanted).filter(([, description]) => description !== false);
  return Object.fromEntries(entries.map(([status, description]) => [status, { description, content }]));
}

function schemaOf(schema: z.ZodType): unknown {
  const id = components.get(schema)?.id;
  return id === undefined ? plain(z.toJSONSchema(schema)) : { $ref: IN_DOCUMENT + id };
}

/** Without what is said once for the whole document. */
function plain({ $schema: _, $id: __, ...schema }: Json): Json {
  return schema;
}
