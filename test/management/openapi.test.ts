import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { MANAGEMENT_ROUTES } from '../../functions/management/routes.ts';
import { openApi } from './fixture.ts';

it('the document is served to everybody, and says what it is', async () => {
  const { withToken } = await openApi();
  const { status, headers, body } = await withToken(undefined)('GET /openapi.json');
  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('application/json');
  expect(body).toMatchObject({ openapi: '3.1.1', info: { title: 'Stowage management API' } });
});

it('the document has every endpoint of the API, and no other', async () => {
  const { document } = await openApi();
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { operationId }]) => `${method} ${path} ${operationId}`),
  );
  const served = MANAGEMENT_ROUTES.map(
    ({ method, path, operation }) =>
      `${method.toLowerCase()} ${path.replaceAll(/<(\w+)>/g, '{$1}')} ${operation}`,
  );
  expect(documented.sort()).toEqual([...served].sort());
  expect(new Set(MANAGEMENT_ROUTES.map(({ operation }) => operation)).size).toBe(served.length);
});

it('every parameter of a path is described, and every reference leads somewhere', async () => {
  const { document } = await openApi();
  const text = JSON.stringify(document);
  const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
  expect(new Set(references)).toEqual(new Set(Object.keys(document.components.schemas)));
  for (const [path, operations] of Object.entries(document.paths)) {
    const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const operation of Object.values(operations)) {
      const { parameters = [] } = operation as { parameters?: { name: string; in: string }[] };
      expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(wanted);
    }
  }
});

it('says by a pattern what each parameter of a path can be', async () => {
  const { document } = await openApi();
  for (const operations of Object.values(document.paths))
    for (const operation of Object.values(operations)) {
      const { parameters = [] } = operation as {
        parameters?: { name: string; in: string; schema: { pattern?: string } }[];
      };
      for (const { name, schema } of parameters.filter((one) => one.in === 'path'))
        expect([name, schema.pattern]).toEqual([name, expect.any(String)]);
    }
});

it('says that a body is required where none is refused, and only there', async () => {
  const api = await openApi();
  const root = await api.as('root');
  await root('POST /users', { name: 'x' });
  await root('POST /robots', { name: 'x', grants: [] });
  await root('PUT /repositories/x', { visibility: 'private' });
  for (const [path, operations] of Object.entries(api.document.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const { requestBody } = operation as { requestBody?: { required: boolean } };
      if (!requestBody) continue;
      const place = path.replace('/api/v1', '').replaceAll(/\{\w+\}/g, 'x');
      const { status, body } = await root(`${method.toUpperCase()} ${place}`);
      const isMissed = status === 400 && `${body['detail']}`.startsWith('the body of the request');
      expect([method, path, isMissed]).toEqual([method, path, requestBody.required]);
    }
});

it('every schema is one, by JSON Schema 2020-12', async () => {
  const { document } = await openApi();
  const ajv = new Ajv2020({ strict: false });
  for (const schema of Object.values(document.components.schemas)) {
    expect(ajv.validateSchema(schema)).toBe(true);
  }
});

/** What is told of public repositories to those who have not logged in. */
const PUBLIC = [
  ...['repository.list', 'repository.get', 'search.find', 'image.get'],
  ...['tag.details', 'tag.names', 'tag.query', 'tag.get', 'tag.history'],
  ...['manifest.list', 'manifest.tags', 'manifest.referrers'],
];

/** A login tells the trail itself who it was. */
const WITHOUT_TOKEN: readonly string[] = ['openapi.get', 'session.create'];

it('every endpoint but the document, the login and what is public asks for a token, and every change is told to the audit trail', () => {
  const needOf = (operation: string) => (PUBLIC.includes(operation) ? 'view' : 'api');
  for (const route of MANAGEMENT_ROUTES) {
    const { operation, method, need } = route;
    expect([operation, need]).toEqual([
      operation,
      WITHOUT_TOKEN.includes(operation) ? 'nothing' : needOf(operation),
    ]);
    expect('audited' in route).toBe(method !== 'GET' && !['tag.query', 'session.create'].includes(operation));
  }
});

it('bodies are documented as they are checked: what is not known is refused', async () => {
  const { document } = await openApi();
  for (const name of ['NewUser', 'NewRobot', 'NewGroup', 'NewToken', 'NewIssuer', 'SubjectGrant', 'Change']) {
    expect(document.components.schemas[name]).toMatchObject({ type: 'object', additionalProperties: false });
  }
  expect(document.components.schemas['NewUser']).toMatchObject({
    required: ['name'],
    properties: { password: { minLength: 12, maxLength: 256 } },
  });
});
