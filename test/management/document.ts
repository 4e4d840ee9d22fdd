import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { createRouter } from '../../functions/http/router.ts';

type Json = Readonly<Record<string, unknown>>;

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Json>> }>>;
}

export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
}

/** Says what is wrong with an answer by the document, if anything is. */
export type Checker = (request: Request, response: Response, body: unknown) => readonly string[];

/** Checks answers against the schemas of an OpenAPI document, by a validator that knows nothing of how it was made. */
export function checkerOf(document: Document): Checker {
  const validate = validatorOf(document);
  const find = createRouter(endpointsOf(document));
  return ({ method, url }, response, body) => {
    const found = find(method, decodeURIComponent(new URL(url).pathname));
    if (found.is !== 'found') return [404, 405].includes(response.status) ? [] : ['no such endpoint'];
    const { template, operation } = found.endpoint;
    const type = typeOf(response.headers);
    const deviation = deviationOf(operation, response.status, type);
    if (deviation !== undefined || type === '') return deviation === undefined ? [] : [deviation];
    const place = ['responses', `${response.status}`, 'content', type, 'schema'];
    return validate(['paths', template, method.toLowerCase(), ...place], body);
  };
}

function deviationOf({ operationId, responses }: Operation, status: number, type: string) {
  const answer = responses[`${status}`];
  if (!answer) return `the status ${status} of ${operationId} is not documented`;
  const types = Object.keys(answer.content ?? {}).join();
  return types === type
    ? undefined
    : `${operationId} answers ${type || 'nothing'}, not ${types || 'nothing'}`;
}

const typeOf = (headers: Headers) => headers.get('content-type')?.split(';')[0] ?? '';

/** Validates by the schema that the steps of a JSON pointer lead to. */
function validatorOf(document: Document) {
  const ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true });
  ajv.addFormat('date-time', (text: string) => !Number.isNaN(Date.parse(text)));
  ajv.addSchema(document, 'document');
  const known = new Map<string, ValidateFunction>();
  return (steps: readonly string[], body: unknown): string[] => {
    const pointer = steps.map((step) => `/${escaped(step)}`).join('');
    const compiled = known.get(pointer) ?? ajv.compile({ $ref: `document#${pointer}` });
    known.set(pointer, compiled);
    return compiled(body)
      ? []
      : (compiled.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
  };
}

function endpointsOf({ paths }: Document) {
  return Object.entries(paths).flatMap(([template, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path: template.replaceAll(/\{([a-z]+)\}/g, '<$1>'),
      template,
      operation,
    })),
  );
}

/** One step of a JSON pointer in a URL. */
const escaped = (step: string) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'));
