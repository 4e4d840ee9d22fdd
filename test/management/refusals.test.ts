import { describe, expect, it } from 'vitest';
import { MANAGEMENT_ROUTES } from '../../functions/management/routes.ts';
import { openApi, PASSWORD, tokenFor } from './fixture.ts';

const ROOT = { username: 'root', password: PASSWORD };

/** For everybody; what is public is told without a login. */
const PUBLIC = ['repository.list', 'search.find'];
/** For everybody who has logged in. */
/** A login, and what everybody may do about their own. */
const LOGIN = 'session.create';
const OPEN = ['me.get', LOGIN, 'session.end', 'session.list', 'session.revoke', ...PUBLIC];

const lines = MANAGEMENT_ROUTES.filter(({ operation }) => operation !== 'openapi.get').map(
  ({ method, path, operation }) => ({
    operation,
    line: `${method} ${path.replace('/api/v1', '').replace('<name>', 'team/app').replaceAll(/<\w+>/g, 'some')}`,
  }),
);

describe('without a token that is good for the API', () => {
  it('every endpoint but a login and the lists of what is public is a 401 that says where to get one', async () => {
    const { withToken } = await openApi();
    for (const { line } of lines.filter(({ operation }) => ![LOGIN, ...PUBLIC].includes(operation))) {
      const { status, headers, body } = await withToken(undefined)(line);
      expect([line, status, body['title']]).toEqual([line, 401, 'Unauthorized']);
      expect(headers.get('content-type')).toBe('application/problem+json');
      expect(headers.get('www-authenticate')).toBe(
        'Bearer realm="https://localhost/token",service="stowage",scope="registry:api:*"',
      );
    }
  });

  it.each([
    ['nonsense', 'invalid_token'],
    ['of a repository', 'insufficient_scope'],
    ['of nobody', 'insufficient_scope'],
  ])('a token %s is a 401 with %s', async (kind, error) => {
    const { send, withToken } = await openApi();
    const anonymous = async () => {
      const response = await send(new Request('http://registry.test/token?scope=registry:api:*'));
      return ((await response.json()) as { token: string }).token;
    };
    const token =
      kind === 'nonsense'
        ? 'x'
        : kind === 'of nobody'
          ? await anonymous()
          : await tokenFor(send, ROOT, 'repository:a:pull');
    const { status, headers } = await withToken(token)('GET /users');
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toContain(`error="${error}"`);
  });
});

describe('without a grant', () => {
  /** Whom these are about is told by what is sent with them. */
  const GRANTS: Readonly<Record<string, readonly [string, unknown?]>> = {
    'grant.set': ['', { subject: 'user:alice', pattern: '*', actions: ['admin'] }],
    'grant.remove': ['?subject=user:root&pattern=*'],
    'me.password': ['', { current: 'wrong', new: 'another horse battery' }],
  };
  const closed = lines.filter(({ operation }) => !OPEN.includes(operation));

  it.each(closed)('$line is refused, before a body is looked at', async ({ line, operation }) => {
    const api = await openApi();
    await api.addUser('alice');
    const alice = await api.as('alice');
    const [query, body] = GRANTS[operation] ?? ['', line.startsWith('GET') ? undefined : 'not JSON'];
    const isHidden = line.includes('/repositories/');
    expect((await alice(line + query, body)).status).toBe(isHidden ? 404 : 403);
  });
});

describe('what does not fit the document', () => {
  it('is a 400 that names every place', async () => {
    const root = await (await openApi()).as('root');
    const { status, body } = await root('POST /users', {
      name: 'Alice',
      password: 'short',
      admin: true,
      grants: [
        { pattern: 'a', actions: ['pull'] },
        { pattern: 'B', actions: ['fly'], more: 1 },
      ],
    });
    expect(status).toBe(400);
    const paths = (body['errors'] as { path: string }[]).map(({ path }) => path);
    expect(paths).toEqual([
      'name',
      'password',
      'grants.1.pattern',
      'grants.1.actions.0',
      'grants.1.more',
      'admin',
    ]);
  });

  it('says in words which field is wrong, and by which rule', async () => {
    const root = await (await openApi()).as('root');
    const rules: readonly (readonly [string, object, string, string])[] = [
      [
        'POST /users',
        { name: 'Bad Name' },
        'name',
        'must be lower-case letters and digits, with . _ and - between',
      ],
      ['POST /robots', { name: 'Bad Name', grants: [] }, 'name', 'must be lower-case letters and digits'],
      ['POST /groups', { name: '-' }, 'name', 'must be lower-case letters and digits'],
      ['PUT /grants', { subject: 'alice', pattern: 'a', actions: ['pull'] }, 'subject', 'such as user:alice'],
      [
        'PUT /grants',
        { subject: 'user:a', pattern: 'A b', actions: ['pull'] },
        'pattern',
        'a repository name, in which *',
      ],
      [
        'PUT /policies/p',
        { repositories: ['a'], immutable: { tags: ['-x'] } },
        'immutable.tags.0',
        'must be a tag, in which',
      ],
      ['POST /repositories/a/-/restore', { tag: '-x' }, 'tag', 'is no tag'],
      ['POST /repositories/a/-/restore', { digest: 'sha256:x' }, 'digest', 'is no digest'],
    ];
    for (const [line, sent, path, rule] of rules) {
      const { status, body } = await root(line, sent);
      expect([line, status, body['detail']]).toEqual([
        line,
        400,
        `the body of the request is not what this endpoint takes: ${path}`,
      ]);
      expect(body['errors']).toEqual([{ path, message: expect.stringContaining(rule) }]);
    }
  });

  it.each(['[]', '"x"', '1', 'null', '{}'])('as a body %s is a 400', async (text) => {
    const root = await (await openApi()).as('root');
    expect((await root('POST /users', text)).body).toMatchObject({ status: 400, errors: [{}] });
  });

  it('as a query is a 400, also where a parameter is not known or given twice', async () => {
    const root = await (await openApi()).as('root');
    for (const [query, path] of [
      ['n=0', 'n'],
      ['n=1001', 'n'],
      ['n=x', 'n'],
      ['n=1.5', 'n'],
      ['last=A', 'last'],
      ['limit=3', 'limit'],
    ]) {
      const { status, body } = await root(`GET /users?${query}`);
      expect([query, status, body['errors']]).toMatchObject([query, 400, [{ path }]]);
    }
    expect((await root('GET /users?n=1&n=2')).status).toBe(400);
    expect((await root('GET /users?n=1&n=1')).status).toBe(200);
  });

  it('is a 400 where it is not JSON, and a 415 where it does not say that it is', async () => {
    const root = await (await openApi()).as('root');
    expect((await root('POST /groups', '{"name":')).body).toMatchObject({ status: 400 });
    expect((await root('POST /groups', '{"name":"a"}', 'text/plain')).status).toBe(415);
    expect((await root('POST /groups', 'name=a', 'application/x-www-form-urlencoded')).status).toBe(415);
    expect((await root('POST /groups', '{"name":"a"}', 'Application/JSON; charset=utf-8')).status).toBe(201);
  });

  it('is a 413 where it is larger than anything that fits', async () => {
    const root = await (await openApi()).as('root');
    const body = { name: 'a', description: 'x'.repeat(70_000) };
    expect((await root('POST /groups', body)).status).toBe(413);
  });

  it('is a 404 or a 405 where there is no such endpoint', async () => {
    const api = await openApi();
    const root = await api.as('root');
    expect(await root('GET /nothing')).toMatchObject({ status: 404, body: { title: 'Not Found' } });
    expect(await root('GET /users/a/b')).toMatchObject({ status: 404 });
    const wrong = await root('PUT /users', {});
    expect(wrong).toMatchObject({ status: 405, body: { title: 'Method Not Allowed' } });
    expect(wrong.headers.get('allow')).toBe('GET, POST');
    const tags = await root('PUT /repositories/team/app/-/tags', {});
    expect([tags.status, tags.headers.get('allow')]).toEqual([405, 'GET']);
    // It is no tag, for the document, though a tag may be called so.
    const query = await root('PATCH /repositories/team/app/-/tags/query', {});
    expect([query.status, query.headers.get('allow')]).toEqual([405, 'POST']);
    const broken = await api.send(new Request('http://registry.test/api/v1/users/%ff'));
    expect(broken.status).toBe(400);
    expect(broken.headers.get('content-type')).toBe('application/problem+json');
  });

  it('is a problem also where the host hands over the path encoded, as Lambda does', async () => {
    const { send } = await openApi();
    const response = await send(new Request('http://registry.test/api%2Fv1%2Fusers'));
    expect([response.status, response.headers.get('content-type')]).toEqual([
      401,
      'application/problem+json',
    ]);
  });

  it('as a name in the path is a 404, however long', async () => {
    const root = await (await openApi()).as('root');
    for (const kind of ['users', 'robots', 'groups']) {
      for (const name of ['A', '..%2froot', 'x'.repeat(5000), '%00']) {
        expect((await root(`GET /${kind}/${name}`)).status).toBe(404);
      }
    }
    expect((await root(`DELETE /users/root/tokens/${'x'.repeat(5000)}`)).status).toBe(404);
    expect((await root(`DELETE /issuers/${'x'.repeat(5000)}`)).status).toBe(404);
  });
});

describe('an answer', () => {
  it('is kept by nothing on its way', async () => {
    const root = await (await openApi()).as('root');
    for (const line of ['GET /users', 'GET /users/nobody', 'POST /robots']) {
      expect((await root(line)).headers.get('cache-control')).toBe('no-store');
    }
  });

  it('that is the fault of the registry is a 500 problem, which does not tell the cause', async () => {
    const api = await openApi();
    const token = await tokenFor(api.send, ROOT);
    api.justBefore('#', async () => {
      throw new Error('disk full');
    });
    const request = new Request('http://registry.test/api/v1/groups', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
      },
      body: '{"name":"a"}',
    });
    const response = await api.send(request);
    expect(response.status).toBe(500);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.text()).not.toContain('disk full');
  });
});
