import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { listAudit } from '../../functions/identity/audit.ts';
import { putIssuer } from '../../functions/identity/issuers.ts';
import { describeError } from '../../functions/telemetry/describe-error.ts';
import { BAD } from './bad-id-tokens.ts';
import { GITHUB_JOB, GITLAB_JOB } from './issuer.ts';
import { openWithIssuer } from './issuer-fixture.ts';
import { basic, tokenFor } from './world.ts';

describe('a good ID token', () => {
  it('of GitHub has the grants of every rule that its claims fit', async () => {
    const { server, logIn, signing } = await openWithIssuer();
    const token = await server.sign(GITHUB_JOB, signing());
    const answer = await logIn(token, 'repository:octo/app:pull,push', 'repository:octo/lib:pull,push');
    expect(answer).toMatchObject({
      status: 200,
      scope: 'repository:octo/app:pull,push repository:octo/lib:pull',
    });
  });

  it('of GitHub for a tag has no grant of a rule for branches', async () => {
    const { server, logIn, signing } = await openWithIssuer();
    const token = await server.sign({ ...GITHUB_JOB, ref: 'refs/tags/v1' }, signing());
    const answer = await logIn(token, 'repository:octo/app:pull,push');
    expect(answer).toMatchObject({ status: 200, scope: 'repository:octo/app:pull' });
  });

  it('of GitLab fits a rule by one of the values of a claim', async () => {
    const { server, logIn, signing } = await openWithIssuer();
    const token = await server.sign(GITLAB_JOB, signing());
    expect(await logIn(token, 'repository:group/app:push')).toMatchObject({
      status: 200,
      scope: 'repository:group/app:push',
    });
  });

  it('is taken by whichever entry of the same issuer has its audience', async () => {
    const { registry, server, issuer, logIn, signing } = await openWithIssuer();
    await putIssuer(registry, { ...issuer, name: 'another', audience: 'elsewhere.example.com' });
    const token = await server.sign({ ...GITHUB_JOB, aud: 'elsewhere.example.com' }, signing());
    expect(await logIn(token)).toMatchObject({ status: 200 });
  });

  it('signed with an elliptic curve is as good', async () => {
    const { server, logIn, signing } = await openWithIssuer();
    await server.rotate('curve', 'ES256');
    const token = await server.sign(GITHUB_JOB, { ...signing(), keyId: 'curve', algorithm: 'ES256' });
    expect(await logIn(token)).toMatchObject({ status: 200 });
  });

  it('is checked by keys that were fetched once for many logins', async () => {
    const { server, logIn, signing } = await openWithIssuer();
    const token = await server.sign(GITHUB_JOB, signing());
    for (let n = 0; n < 5; n += 1) expect((await logIn(token)).status).toBe(200);
    expect(server.keysFetched).toBe(1);
  });

  it('logs a job in for as long as it takes, until its issuer changes', async () => {
    const { fixture, registry, server, issuer, app, signing } = await openWithIssuer();
    const password = await server.sign(GITHUB_JOB, signing());
    const ask = async (form: Record<string, string>) => {
      const body = new URLSearchParams({ scope: 'repository:octo/app:pull,push', ...form });
      const response = await app(new Request('http://registry.test/token', { method: 'POST', body }));
      const answer = (await response.json()) as { refresh_token?: string; scope?: string };
      return { status: response.status, ...answer };
    };
    const first = await ask({ grant_type: 'password', username: 'oidc', password, access_type: 'offline' });
    const again = { grant_type: 'refresh_token', refresh_token: first.refresh_token ?? '' };
    const asPassword = { grant_type: 'password', username: 'oidc', password: first.refresh_token ?? '' };
    fixture.clock += 5 * 3600_000;
    const scope = 'repository:octo/app:pull,push';
    expect(await ask(again)).toMatchObject({ status: 200, scope });
    expect(await ask(asPassword)).toMatchObject({ status: 200, scope });
    expect(await ask({ ...asPassword, access_type: 'offline' })).not.toHaveProperty('refresh_token');
    expect(await ask({ ...asPassword, username: 'alice' })).toMatchObject({ status: 401 });
    await putIssuer(registry, { ...issuer, rules: [] });
    expect(await ask(again)).toMatchObject({ status: 401 });
    await putIssuer(registry, issuer);
    const later = await ask({
      grant_type: 'password',
      username: 'oidc',
      password: await server.sign(GITHUB_JOB, signing()),
      access_type: 'offline',
    });
    fixture.clock += 6 * 3600_000 + 1000;
    const late = { grant_type: 'refresh_token', refresh_token: later.refresh_token ?? '' };
    expect(await ask(late)).toMatchObject({ status: 401 });
  });

  it('gives docker, which asks by GET, what it keeps for the rest of the job', async () => {
    const { server, app, signing } = await openWithIssuer();
    const password = await server.sign(GITHUB_JOB, signing());
    const headers = { Authorization: basic({ username: 'oidc', password }) };
    const url = 'http://registry.test/token?account=oidc&client_id=docker&offline_token=true&service=stowage';
    expect(await (await app(new Request(url, { headers }))).json()).toHaveProperty('refresh_token');
  });

  it('appears in the audit trail with its subject', async () => {
    const { fixture, registry, server, logIn, signing } = await openWithIssuer();
    await logIn(await server.sign(GITHUB_JOB, signing()), 'repository:octo/app:pull');
    const { records } = await listAudit(registry, { since: 0, until: fixture.clock + 1, limit: 10 });
    expect(records).toMatchObject([
      { principal: `oidc:ci:${GITHUB_JOB.sub}`, operation: 'token.issue', outcome: 'allowed' },
    ]);
  });
});

describe('an ID token', () => {
  it('of an issuer that nobody can be asked for tells the log why, and of one that is sound nothing', async () => {
    const { registry, issuer, server, logIn, signing, causes } = await openWithIssuer();
    await logIn(await server.sign({ ...GITHUB_JOB, aud: 'other' }, signing()));
    expect(causes).toEqual([]);
    const gone = 'https://issuer.invalid';
    await putIssuer(registry, { ...issuer, issuer: gone });
    await logIn(await server.sign({ ...GITHUB_JOB, iss: gone }, signing()));
    expect(describeError(causes[0])).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  it.each(Object.entries(BAD))(
    '%s is refused, and the client and the audit trail are told why',
    async (_, [make, why]) => {
      const opened = await openWithIssuer();
      const answer = await opened.logIn(await make(opened), 'repository:octo/app:pull');
      expect(answer).toMatchObject({ status: 401, why: expect.stringContaining(why) });
      const range = { since: 0, until: opened.fixture.clock + 1, limit: 10 };
      const { records } = await listAudit(opened.registry, range);
      expect(records).toMatchObject([
        { operation: 'token.issue', outcome: 'refused', target: expect.stringContaining(why) },
      ]);
    },
  );

  it('of an issuer that was down is good once it is up again, and the log knows what was wrong', async () => {
    const { fixture, server, logIn, signing, causes } = await openWithIssuer();
    const token = await server.sign(GITHUB_JOB, signing());
    server.outage = 500;
    expect((await logIn(token)).status).toBe(401);
    const said = describeError(causes[0]);
    expect(said).toContain(`the keys of ${server.url} cannot be had`);
    expect(said).toContain('/.well-known/openid-configuration answered 500');
    server.outage = undefined;
    fixture.clock += 5000;
    expect((await logIn(token)).status).toBe(200);
  });

  it('is not held against an address, whatever is wrong with it, nor is an issuer that is down asked all the time', async () => {
    const { fixture, server, logIn, signing } = await openWithIssuer();
    const token = await server.sign(GITHUB_JOB, signing());
    server.outage = 503;
    for (let n = 0; n < 150; n += 1) expect((await logIn(token)).status).toBe(401);
    expect(server.asked).toBe(1);
    server.outage = undefined;
    fixture.clock += 5000;
    expect((await logIn(token)).status).toBe(200);
    for (let n = 0; n < 100; n += 1) expect((await logIn('none')).status).toBe(401);
    expect((await logIn(token)).status).toBe(200);
  });

  it('is refused for what is wrong with it by the entry that has its audience', async () => {
    const { registry, server, issuer, logIn, signing } = await openWithIssuer();
    await putIssuer(registry, { ...issuer, name: 'another', audience: 'elsewhere.example.com' });
    await putIssuer(registry, { ...issuer, name: 'zeta', audience: 'elsewhere.example.com' });
    const token = await server.sign(
      { ...GITHUB_JOB, repository: 'evil/app', repository_owner: 'evil' },
      signing(),
    );
    expect((await logIn(token)).why).toContain('no rule of this registry fits');
  });

  it('signed with a key that its issuer has taken up since is good', async () => {
    const { server, logIn, signing } = await openWithIssuer();
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
    const { registry, server, issuer, logIn, signing } = await openWithIssuer();
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
    const { app, registry, server, issuer, signing } = await openWithIssuer();
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
});
