import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type Answered, createApp, refuse } from '../../functions/app.ts';
import { requestOf, resultOf } from '../../functions/http/lambda.ts';
import { digestOf } from '../../functions/oci/digest.ts';
import { requestUnreadable } from '../../functions/oci/host-errors.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { putManifest } from '../../functions/registry/manifest-push.ts';
import { serve } from '../../local/server.ts';
import { startGateway } from '../aws/gateway/gateway.ts';
import { Connection, type RawAnswer } from '../fuzz/connection.ts';
import { imageOf, pushBlob } from '../registry/fixture.ts';
import { type Login, openWorld, PRINCIPALS, scopesIn, tokenFor, type World } from './world.ts';

// However a path is written, what is authorized is the repository that the answer is about; and the same bytes get the
// same answer from the Node server and from the Lambda function behind its gateway.

interface Host {
  readonly url: string;
  /** What the app last answered here. */
  last: Answered | undefined;
}

let world: World;
let hosts: { readonly node: Host; readonly lambda: Host };
let admin: Login;

beforeEach(async () => {
  world = await openWorld();
  hosts = { node: await openNode(world), lambda: await openLambda(world) };
  admin = await PRINCIPALS.robot(world, 'root', [{ pattern: '*', actions: ['admin'] }]);
});

function appOf({ registry, authentication }: World, host: Host) {
  return createApp({
    registry,
    authentication,
    onAnswer: (answered) => {
      host.last = answered;
    },
  });
}

async function openNode(opened: World): Promise<Host> {
  const host = { url: '', last: undefined };
  const server = await serve(appOf(opened, host), { host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  return Object.assign(host, { url: server.url });
}

async function openLambda(opened: World): Promise<Host> {
  const host = { url: '', last: undefined };
  const app = appOf(opened, host);
  const gateway = await startGateway({
    challenge: 'kept',
    async handler(event) {
      const request = requestOf(event);
      return resultOf(request ? await app(request) : refuse(requestUnreadable()));
    },
  });
  onTestFinished(() => gateway.close());
  return Object.assign(host, { url: gateway.url });
}

/** Sends the path as it is written, over a socket. */
async function send({ url }: Host, method: string, path: string, token?: string): Promise<RawAnswer> {
  const connection = await Connection.open(url);
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: registry.test\r\n${authorization}`;
  await connection.write(`${head}Content-Length: 0\r\nConnection: close\r\n\r\n`);
  const answer = await connection.answer();
  connection.cut();
  if (!answer) throw new Error(`no answer to ${path}`);
  return answer;
}

/** A manifest that no other repository has. */
async function fill(name: string): Promise<string> {
  const repository = name as RepositoryName;
  const bytes = imageOf(await pushBlob(world.registry, repository, Buffer.from(`content of ${name}`)));
  await putManifest(world.registry, {
    repository,
    bytes,
    contentType: '',
    digest: undefined,
    tags: ['v1' as Tag],
  });
  return digestOf('sha256', bytes);
}

const MINE = 'open/app';
const THEIRS = 'victim/app';

/** Ways from one's own repository to that of somebody else, and other oddities. */
const ODD = [
  `/v2/${MINE}/../../${THEIRS}/manifests/v1`,
  `/v2/${MINE}/../../${THEIRS}/tags/list`,
  `/v2/${MINE}/%2e%2e/%2e%2e/${THEIRS}/manifests/v1`,
  `/v2/${MINE}/.%2e/%2E./${THEIRS}/manifests/v1`,
  `/v2/${MINE}/%2e%2e%2f%2e%2e%2f${THEIRS}/manifests/v1`,
  `/v2/${MINE}/..%2f..%2f${THEIRS}/manifests/v1`,
  `/v2/${MINE}/%252e%252e/%252e%252e/${THEIRS}/manifests/v1`,
  `/v2/${MINE}/%25252e%25252e/${THEIRS}/manifests/v1`,
  `/v2/${MINE}\\..\\..\\${THEIRS}/manifests/v1`,
  `/v2/${MINE}%5c..%5c..%5c${THEIRS}/manifests/v1`,
  `/v2/${MINE}/./manifests/v1`,
  `/v2/./${MINE}/manifests/v1`,
  `/v2/${MINE}/manifests/v1/../../../../${THEIRS}/manifests/v1`,
  `/v2/${MINE}/manifests/../manifests/v1`,
  `/v2/${MINE}/manifests/..`,
  `/v2/${MINE}/manifests/%2e%2e`,
  `/v2/../v2/${THEIRS}/manifests/v1`,
  `/../../v2/${THEIRS}/manifests/v1`,
  `/v2/${MINE}//manifests/v1`,
  `/v2//${THEIRS}/manifests/v1`,
  `//v2/${THEIRS}/manifests/v1`,
  `//evil.test/v2/${THEIRS}/manifests/v1`,
  `/v2/${THEIRS}/manifests/v1/`,
  `/v2/${THEIRS}/manifests//v1`,
  `/v2/victim%2fapp/manifests/v1`,
  `/v2/victim%2Fapp%2Fmanifests%2Fv1`,
  `/v2%2f${THEIRS}/manifests/v1`,
  `/v2/victim%252fapp/manifests/v1`,
  `/v2/${THEIRS};x=1/manifests/v1`,
  `/v2/${THEIRS}/manifests/v1;x=1`,
  `/v2/${THEIRS}%00/manifests/v1`,
  `/v2/${THEIRS}/manifests/v1%00`,
  `/v2/${THEIRS}%0a/manifests/v1`,
  `/v2/${THEIRS}%20/manifests/v1`,
  `/v2/${THEIRS}/%6danifests/v1`,
  `/v2/${THEIRS}/manifests/%76%31`,
  `/v2/${THEIRS}/manifests/v1%3fx=1`,
  `/v2/${THEIRS}/manifests/v1%23x`,
  `/v2/${THEIRS}/manifests/v1?name=${MINE}`,
  `/v2/${THEIRS}/manifests/v1?repository=${MINE}&from=${MINE}`,
  `/v2/${MINE}/manifests/v1?/../../../${THEIRS}/manifests/v1`,
  `/v2/VICTIM/APP/manifests/v1`,
  `/V2/${THEIRS}/manifests/v1`,
  `/v2/${THEIRS}/MANIFESTS/v1`,
  `/v2/%ff%fe/manifests/v1`,
  `/v2/%zz/manifests/v1`,
  `/v2/%c0%ae%c0%ae/${THEIRS}/manifests/v1`,
  `/v2/\u00ff/manifests/v1`,
  `http://registry.test/v2/${MINE}/../../${THEIRS}/manifests/v1`,
  `http://evil.test/v2/${THEIRS}/manifests/v1`,
  `/v2/${MINE}/blobs/uploads/../../../../${THEIRS}/manifests/v1`,
  `/v2/_catalog/../${THEIRS}/manifests/v1`,
  '/token/../api/v1/users',
  '/api/v1/../../v2/victim/app/manifests/v1',
  '/v2/../api/v1/users',
  '/api/v1/users/..',
  '/api/v1/users/%2e%2e/robots',
  '/api/v1//users',
  '/api/v1/users/',
  `/api/v1/repositories/${MINE}/../../../${THEIRS}`,
];

/** The gateway has decoded these before anybody can tell what they were: bytes that are no text, and a question mark. */
const DECODED = /%zz|%ff|%c0|%3f/;

/** What the host answers to a stranger, to somebody with rights elsewhere, and to an admin. */
async function answersOf(host: Host, method: string, path: string, mine: string) {
  for (const name of [MINE, THEIRS]) await fill(name);
  const stranger = await send(host, method, path);
  const asked = scopesIn(stranger.headers.get('www-authenticate') ?? null).filter(Boolean);
  const named = host.last?.repository;
  const limited = await send(host, method, path, mine);
  const all = await send(host, method, path, await tokenFor(world, admin, asked));
  expect(host.last?.repository).toBe(named);
  return { stranger, asked, named, limited, all };
}

/** A challenge is for what the path names; a token for another repository opens nothing. */
function expectSound(path: string, answers: Awaited<ReturnType<typeof answersOf>>): void {
  const { stranger, asked, named, limited, all } = answers;
  const scope = path.startsWith('/api/') ? 'registry:api:*' : `repository:${named}:`;
  if (stranger.status === 401 && named !== undefined) expect(asked[0]).toContain(scope);
  if (named !== MINE) expect(limited.status).toBeGreaterThanOrEqual(400);
  expect(limited.body).not.toContain('content of victim');
  expect(all.status).toBeLessThan(500);
}

describe.each(['GET', 'PUT', 'DELETE', 'POST'])('%s of', (method) => {
  it.each(ODD)('%s is authorized for what is answered, on every host alike', async (path) => {
    const ci = await PRINCIPALS.robot(world, 'ci', [{ pattern: 'open/*', actions: ['push', 'delete'] }]);
    const mine = await tokenFor(world, ci, [`repository:${MINE}:pull,push,delete`, 'registry:api:*']);
    const told: unknown[] = [];
    for (const host of [hosts.node, hosts.lambda]) {
      const answers = await answersOf(host, method, path, mine);
      expectSound(path, answers);
      const { stranger, asked, named, limited, all } = answers;
      // What never becomes a request, the gateway answers in words of its own.
      const body = host.last ? stranger.body : '';
      told.push([named, stranger.status, asked, body, limited.status, all.status]);
    }
    if (!DECODED.test(path)) expect(told[0]).toEqual(told[1]);
  });
});

describe('a repository that is named like an endpoint', () => {
  /** Each with those that a confused reader of paths would take it for. */
  const NAMES: readonly (readonly [string, readonly string[]])[] = [
    ['x/manifests', ['x', 'x/manifests/manifests']],
    ['x/manifests/v1', ['x', 'x/manifests']],
    ['x/blobs/uploads', ['x', 'x/blobs']],
    ['x/blobs', ['x']],
    ['a/tags/list', ['a', 'a/tags']],
    ['a/referrers/list', ['a']],
    ['api/v1', ['api', 'v1']],
    ['api/v1/repositories/x', ['x', 'api/v1']],
    ['token', ['x']],
    ['v2', ['x']],
    ['v2/x', ['x', 'v2']],
    ['catalog', ['x']],
  ];

  it.each(NAMES)('%s is read and written with a token for it alone', async (name, others) => {
    const digest = await fill(name);
    for (const other of others) await fill(other);
    const own = await tokenFor(world, admin, [`repository:${name}:pull,push,delete`]);
    const foreign = await tokenFor(
      world,
      admin,
      others.map((other) => `repository:${other}:pull,push,delete`),
    );
    for (const host of [hosts.node, hosts.lambda]) {
      const read = await send(host, 'GET', `/v2/${name}/manifests/v1`, own);
      expect([read.status, read.headers.get('docker-content-digest')]).toEqual([200, digest]);
      const tags = await send(host, 'GET', `/v2/${name}/tags/list`, own);
      expect(JSON.parse(tags.body)).toEqual({ name, tags: ['v1'] });
      const upload = await send(host, 'POST', `/v2/${name}/blobs/uploads/`, own);
      expect(upload.status).toBe(202);
      expect(upload.headers.get('location')).toMatch(
        new RegExp(`^/v2/${name}/blobs/uploads/[0-9a-f-]{36}\\?offset=0$`),
      );
      for (const call of [
        ['GET', 'manifests/v1'],
        ['GET', 'tags/list'],
        ['POST', 'blobs/uploads/'],
        ['PUT', 'manifests/v2'],
        ['DELETE', 'manifests/v1'],
        ['DELETE', `blobs/${digest}`],
      ] as const) {
        const [method, rest] = call;
        expect([call, (await send(host, method, `/v2/${name}/${rest}`, foreign)).status]).toEqual([
          call,
          401,
        ]);
      }
    }
  });
});

it('two Authorization headers on one request are none, on every host', async () => {
  await fill(MINE);
  const token = await tokenFor(world, admin, [`repository:${MINE}:pull`]);
  for (const host of [hosts.node, hosts.lambda]) {
    for (const second of [`Bearer ${token}`, 'Basic eDp5', 'Bearer x']) {
      for (const pair of [
        [`Bearer ${token}`, second],
        [second, `Bearer ${token}`],
      ]) {
        const connection = await Connection.open(host.url);
        const headers = pair.map((value) => `Authorization: ${value}\r\n`).join('');
        await connection.write(`GET /v2/${MINE}/tags/list HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
        expect((await connection.answer())?.status).toBe(401);
        connection.cut();
      }
    }
  }
});
