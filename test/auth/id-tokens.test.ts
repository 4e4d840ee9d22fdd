import { randomBytes } from 'node:crypto';
import { generateKeyPair, type JWTPayload, UnsecuredJWT } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { Authentication } from '../../functions/auth/authentication.ts';
import { IdTokenVerifier } from '../../functions/auth/id-tokens.ts';
import { TableKeys } from '../../functions/auth/table-keys.ts';
import { listAudit } from '../../functions/identity/audit.ts';
import { type ClaimRule, putIssuer } from '../../functions/identity/issuers.ts';
import { openFixture } from '../registry/fixture.ts';
import { GITHUB_JOB, GITLAB_JOB, IssuerServer, signWith, times } from './issuer.ts';
import { basic, tokenFor } from './world.ts';

const RULES: readonly ClaimRule[] = [
  {
    claims: { repository: 'octo-org/app', ref: 'refs/heads/*' },
    grants: [{ pattern: 'octo/app', actions: ['pull', 'push'] }],
  },
  { claims: { repository_owner: 'octo-org' }, grants: [{ pattern: 'octo/*', actions: ['pull'] }] },
  { claims: { groups_direct: 'group/release' }, grants: [{ pattern: 'group/*', actions: ['push'] }] },
  { claims: {}, grants: [{ pattern: '*', actions: ['admin'] }] },
];

async function open() {
  const fixture = await openFixture();
  const { registry } = fixture;
  const server = await IssuerServer.start();
  onTestFinished(() => server.close());
  const issuer = { name: 'ci', issuer: server.url, audience: 'registry.example.com', rules: RULES };
  await putIssuer(registry, issuer);
  const workloads = new IdTokenVerifier();
  const app = createApp({
    registry,
    authentication: new Authentication({ registry, keys: new TableKeys(registry), workloads }),
  });
  const logIn = async (idToken: string, ...scopes: string[]) => {
    const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]));
    const headers = { Authorization: basic({ username: 'oidc', password: idToken }) };
    const response = await app(new Request(`http://registry.test/token?${query}`, { headers }));
    const body = (await response.json()) as { scope?: string; errors?: { message: string }[] };
    return { status: response.status, scope: body.scope, why: body.errors?.[0]?.message };
  };
  const signing = () => ({ now: fixture.clock });
  return { fixture, registry, server, issuer, app, logIn, signing };
}

describe('a good ID token', () => {
  it('of GitHub has the grants of every rule that its claims fit', async () => {
    const { server, logIn, signing } = await open();
    const token = await server.sign(GITHUB_JOB, signing());
    const answer = await logIn(token, 'repository:octo/app:pull,push', 'repository:octo/lib:pull,push');
    expect(answer).toMatchObject({
      status: 200,
      scope: 'repository:octo/app:pull,push repository:octo/lib:pull',
    });
  });

  it('of GitHub for a tag has no grant of a rule for branches', async () => {
    const { server, logIn, signing } = await open();
    const token = await server.sign({ ...GITHUB_JOB, ref: 'refs/tags/v1' }, signing());
    const answer = await logIn(token, 'repository:octo/app:pull,push');
    expect(answer).toMatchObject({ status: 200, scope: 'repository:octo/app:pull' });
  });

  it('of GitLab fits a rule by one of the values of a claim', async () => {
    const { server, logIn, signing } = await open();
    const token = await server.sign(GITLAB_JOB, signing());
    expect(await logIn(token, 'repository:group/app:push')).toMatchObject({
      status: 200,
      scope: 'repository:group/app:push',
    });
  });

  it('is taken by whichever entry of the same issuer has its audience', async () => {
    const { registry, server, issuer, logIn, signing } = await open();
    await putIssuer(registry, { ...issuer, name: 'another', audience: 'elsewhere.example.com' });
    const token = await server.sign({ ...GITHUB_JOB, aud: 'elsewhere.example.com' }, signing());
    expect(await logIn(token)).toMatchObject({ status: 200 });
  });

  it('signed with an elliptic curve is as good', async () => {
    const { server, logIn, signing } = await open();
    await server.rotate('curve', 'ES256');
    const token = await server.sign(GITHUB_JOB, { ...signing(), keyId: 'curve', algorithm: 'ES256' });
    expect(await logIn(token)).toMatchObject({ status: 200 });
  });

  it('is checked by keys that were fetched once for many logins', async () => {
    const { server, logIn, signing } = await open();
    const token = await server.sign(GITHUB_JOB, signing());
    for (let n = 0; n < 5; n += 1) expect((await logIn(token)).status).toBe(200);
    expect(server.keysFetched).toBe(1);
  });

  it('appears in the audit trail with its subject', async () => {
    const { fixture, registry, server, logIn, signing } = await open();
    await logIn(await server.sign(GITHUB_JOB, signing()), 'repository:octo/app:pull');
    const { records } = await listAudit(registry, { since: 0, until: fixture.clock + 1, limit: 10 });
    expect(records).toMatchObject([
      { principal: `oidc:ci:${GITHUB_JOB.sub}`, operation: 'token.issue', outcome: 'allowed' },
    ]);
  });
});

type Opened = Awaited<ReturnType<typeof open>>;

const claiming =
  (claims: (seconds: number) => JWTPayload) =>
  ({ server, fixture, signing }: Opened) =>
    server.sign({ ...GITHUB_JOB, ...claims(Math.floor(fixture.clock / 1000)) }, signing());

const BAD: Readonly<Record<string, readonly [(opened: Opened) => string | Promise<string>, string]>> = {
  'that has expired': [
    claiming((now) => ({ iat: now - 600, nbf: now - 600, exp: now - 60 })),
    'the ID token has expired',
  ],
  'that was issued long ago': [
    claiming((now) => ({ iat: now - 7200, nbf: now - 7200 })),
    'the ID token is too old',
  ],
  'that begins tomorrow': [claiming((now) => ({ nbf: now + 86_400, exp: now + 90_000 })), 'is not valid yet'],
  'that was issued in the future': [claiming((now) => ({ iat: now + 3600 })), 'is not valid yet'],
  'without a time of issue': [
    ({ server, fixture, signing }) => {
      const { iat: _, ...rest } = times(fixture.clock);
      return server.sign({ ...GITHUB_JOB, ...rest, iat: undefined as unknown as number }, signing());
    },
    'the claim iat of the ID token is missing or wrong',
  ],
  'without a subject': [
    claiming(() => ({ sub: undefined as unknown as string })),
    'the claim sub of the ID token is missing or wrong',
  ],
  'whose subject is no text': [
    claiming(() => ({ sub: { toString: 'root' } as unknown as string })),
    'the claim sub of the ID token is missing or wrong',
  ],
  'whose subject is endless': [
    claiming(() => ({ sub: 'x'.repeat(5000) })),
    'the claim sub of the ID token is missing or wrong',
  ],
  'of an issuer that answers with something else': [
    async ({ server, signing }) => {
      server.discovery = { jwks_uri: 'nowhere' };
      return server.sign(GITHUB_JOB, signing());
    },
    'the keys of the issuer cannot be had now',
  ],
  'that never ends': [
    async ({ server, fixture, signing }) => {
      const { exp: _, ...rest } = times(fixture.clock);
      return server.sign({ ...GITHUB_JOB, ...rest, exp: undefined as unknown as number }, signing());
    },
    'the claim exp of the ID token is missing or wrong',
  ],
  'for another service': [claiming(() => ({ aud: 'sts.amazonaws.com' })), 'is meant for another audience'],
  'of an issuer that is not trusted': [
    claiming(() => ({ iss: 'https://token.actions.githubusercontent.com' })),
    'the issuer of the ID token is not trusted here',
  ],
  'of somebody else': [
    claiming(() => ({ repository: 'evil/app', repository_owner: 'evil' })),
    'no rule of this registry fits the claims of the ID token',
  ],
  'signed with another key of the same name': [
    async ({ server, fixture }) => {
      const { privateKey } = await generateKeyPair('RS256');
      const claims = { iss: server.url, ...times(fixture.clock), ...GITHUB_JOB };
      return signWith(privateKey, claims, { keyId: 'first', algorithm: 'RS256' });
    },
    'the signature of the ID token is wrong',
  ],
  'signed with a key that the issuer does not have': [
    async ({ server, fixture }) => {
      const { privateKey } = await generateKeyPair('RS256');
      const claims = { iss: server.url, ...times(fixture.clock), ...GITHUB_JOB };
      return signWith(privateKey, claims, { keyId: 'unknown', algorithm: 'RS256' });
    },
    'is signed with a key that its issuer does not have',
  ],
  'signed with the public key as if it were a secret': [
    async ({ server, fixture }) => {
      const secret = Buffer.from(JSON.stringify(await server.publicKey()));
      const claims = { iss: server.url, ...times(fixture.clock), ...GITHUB_JOB };
      return signWith(secret, claims, { keyId: 'first', algorithm: 'HS256' });
    },
    'is signed with an algorithm that is not accepted',
  ],
  'that is not signed': [
    ({ server, fixture }) =>
      new UnsecuredJWT({ iss: server.url, ...times(fixture.clock), ...GITHUB_JOB }).encode(),
    'is signed with an algorithm that is not accepted',
  ],
  'that was changed on its way': [
    async ({ server, signing }) => {
      const [header, , signature] = (await server.sign(GITHUB_JOB, signing())).split('.');
      const [, changed] = (await server.sign({ ...GITHUB_JOB, ref: 'refs/heads/x' }, signing())).split('.');
      return [header, changed, signature].join('.');
    },
    'the signature of the ID token is wrong',
  ],
  'with a critical header that nobody knows': [
    async ({ server, signing }) => {
      const [, claims, signature] = (await server.sign(GITHUB_JOB, signing())).split('.');
      const header = { alg: 'RS256', kid: 'first', crit: ['future'], future: 1 };
      return [Buffer.from(JSON.stringify(header)).toString('base64url'), claims, signature].join('.');
    },
    'the ID token is malformed',
  ],
  'that is none': [() => randomBytes(30).toString('hex'), 'the password is not an ID token'],
  'of an issuer that is down': [
    async ({ server, signing }) => {
      server.outage = 503;
      return server.sign(GITHUB_JOB, signing());
    },
    'the keys of the issuer cannot be had now',
  ],
  'of an issuer that says it is another': [
    async ({ server, signing }) => {
      server.discovery = { issuer: 'https://example.com' };
      return server.sign(GITHUB_JOB, signing());
    },
    'the issuer says that it is another one',
  ],
  'of an issuer whose keys come over a line that others can write to': [
    async ({ server, signing }) => {
      server.discovery = { jwks_uri: 'http://keys.example.com/' };
      return server.sign(GITHUB_JOB, signing());
    },
    'the keys of the issuer would come over a line where others can write',
  ],
};

describe('an ID token', () => {
  it.each(Object.entries(BAD))(
    '%s is refused, and the client and the audit trail are told why',
    async (_, [make, why]) => {
      const opened = await open();
      const answer = await opened.logIn(await make(opened), 'repository:octo/app:pull');
      expect(answer).toMatchObject({ status: 401, why: expect.stringContaining(why) });
      const range = { since: 0, until: opened.fixture.clock + 1, limit: 10 };
      const { records } = await listAudit(opened.registry, range);
      expect(records).toMatchObject([
        { operation: 'token.issue', outcome: 'refused', target: expect.stringContaining(why) },
      ]);
    },
  );

  it('of an issuer that was down is good once it is up again', async () => {
    const { fixture, server, logIn, signing } = await open();
    const token = await server.sign(GITHUB_JOB, signing());
    server.outage = 500;
    expect((await logIn(token)).status).toBe(401);
    server.outage = undefined;
    fixture.clock += 5000;
    expect((await logIn(token)).status).toBe(200);
  });

  it('is not held against an address where the issuer is to blame, nor asked about all the time', async () => {
    const { fixture, server, logIn, signing } = await open();
    const token = await server.sign(GITHUB_JOB, signing());
    server.outage = 503;
    for (let n = 0; n < 150; n += 1) expect((await logIn(token)).status).toBe(401);
    expect(server.asked).toBe(1);
    server.outage = undefined;
    fixture.clock += 5000;
    expect((await logIn(token)).status).toBe(200);
    for (let n = 0; n < 100; n += 1) expect((await logIn('none')).status).toBe(401);
    expect((await logIn(token)).status).toBe(429);
  });

  it('is refused for what is wrong with it by the entry that has its audience', async () => {
    const { registry, server, issuer, logIn, signing } = await open();
    await putIssuer(registry, { ...issuer, name: 'another', audience: 'elsewhere.example.com' });
    await putIssuer(registry, { ...issuer, name: 'zeta', audience: 'elsewhere.example.com' });
    const token = await server.sign(
      { ...GITHUB_JOB, repository: 'evil/app', repository_owner: 'evil' },
      signing(),
    );
    expect((await logIn(token)).why).toContain('no rule of this registry fits');
  });

  it('signed with a key that its issuer has taken up since is good', async () => {
    const { server, logIn, signing } = await open();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    expect((await logIn(await server.sign(GITHUB_JOB, signing()))).status).toBe(200);
    await server.rotate('second');
    const token = await server.sign(GITHUB_JOB, { ...signing(), keyId: 'second' });
    vi.setSystemTime(Date.now() + 31_000);
    expect((await logIn(token)).status).toBe(200);
    expect(server.keysFetched).toBe(2);
  });

  it('is refused where its rules give more than an access token can carry past a gateway', async () => {
    const { registry, server, issuer, logIn, signing } = await open();
    const grantsTo = (count: number) => {
      const grants = Array.from({ length: count }, (_, n) => ({
        pattern: `octo/${'x'.repeat(80)}/${n}`,
        actions: ['pull', 'push'] as const,
      }));
      return { ...issuer, rules: [{ claims: { repository: 'octo-org/app' }, grants }] };
    };
    const token = await server.sign(GITHUB_JOB, signing());
    await putIssuer(registry, grantsTo(20));
    expect((await logIn(token)).status).toBe(200);
    await putIssuer(registry, grantsTo(100));
    expect(await logIn(token)).toMatchObject({
      status: 401,
      why: expect.stringContaining('more grants than an access token can carry'),
    });
  });

  it('leaves room for them in a token, however much is asked', async () => {
    const { app, registry, server, issuer, signing } = await open();
    const grants = Array.from({ length: 20 }, (_, n) => ({
      pattern: `octo/${'x'.repeat(80)}/${n}`,
      actions: ['pull'] as const,
    }));
    await putIssuer(registry, { ...issuer, rules: [{ claims: { repository: 'octo-org/app' }, grants }] });
    const scopes = Array.from({ length: 50 }, (_, n) => `repository:octo/${'y'.repeat(100)}/${n}:pull`);
    const login = { username: 'oidc', password: await server.sign(GITHUB_JOB, signing()) };
    // API Gateway takes 10,240 bytes of request line and headers.
    expect((await tokenFor({ app }, login, scopes)).length).toBeLessThan(7000);
  });

  it('gets no refresh token: the job asks for a new one', async () => {
    const { app, server, signing } = await open();
    const password = await server.sign(GITHUB_JOB, signing());
    const body = new URLSearchParams({
      grant_type: 'password',
      access_type: 'offline',
      username: 'oidc',
      password,
    });
    const response = await app(new Request('http://registry.test/token', { method: 'POST', body }));
    expect([response.status, await response.json()]).toEqual([
      200,
      expect.not.objectContaining({ refresh_token: expect.anything() }),
    ]);
  });
});
