import { onTestFinished } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { Authentication } from '../../functions/auth/authentication.ts';
import { IdTokenVerifier } from '../../functions/auth/id-tokens.ts';
import { TableKeys } from '../../functions/auth/table-keys.ts';
import { type ClaimRule, putIssuer } from '../../functions/identity/issuers.ts';
import { openFixture } from '../registry/fixture.ts';
import { IssuerServer } from './issuer.ts';
import { basic } from './world.ts';

const RULES: readonly ClaimRule[] = [
  {
    claims: { repository: 'octo-org/app', ref: 'refs/heads/*' },
    grants: [{ pattern: 'octo/app', actions: ['pull', 'push'] }],
  },
  { claims: { repository_owner: 'octo-org' }, grants: [{ pattern: 'octo/*', actions: ['pull'] }] },
  { claims: { groups_direct: 'group/release' }, grants: [{ pattern: 'group/*', actions: ['push'] }] },
  { claims: {}, grants: [{ pattern: '*', actions: ['admin'] }] },
];

/** A registry that takes ID tokens of one issuer, whose keys the test has. */
export async function openWithIssuer() {
  const fixture = await openFixture();
  const { registry } = fixture;
  const server = await IssuerServer.start();
  onTestFinished(() => server.close());
  const issuer = { name: 'ci', issuer: server.url, audience: 'registry.example.com', rules: RULES };
  await putIssuer(registry, issuer);
  const workloads = new IdTokenVerifier();
  const causes: unknown[] = [];
  const app = createApp({
    registry,
    onAnswer: ({ cause }) => void (cause !== undefined && causes.push(cause)),
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
  return { fixture, registry, server, issuer, app, logIn, signing, causes };
}

export type Opened = Awaited<ReturnType<typeof openWithIssuer>>;
