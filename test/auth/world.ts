import { setTimeout } from 'node:timers/promises';
import { type App, createApp } from '../../functions/app.ts';
import { Authentication } from '../../functions/auth/authentication.ts';
import { TableKeys } from '../../functions/auth/table-keys.ts';
import type { Grant } from '../../functions/identity/grants.ts';
import { createGroup } from '../../functions/identity/groups.ts';
import { type Issuer, listIssuers, putIssuer } from '../../functions/identity/issuers.ts';
import { createRobot } from '../../functions/identity/robots.ts';
import { createToken } from '../../functions/identity/tokens.ts';
import { addMember, createUser } from '../../functions/identity/users.ts';
import type { WorkloadVerifier } from '../../functions/identity/workload.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { fullJitter } from '../../functions/storage/pause.ts';
import { type Fixture, openFixture } from '../registry/fixture.ts';

/** What somebody logs in with; nobody needs nothing. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

export const PASSWORD = 'correct horse battery staple';

/** A registry with users, called as a function, whose clock the test moves. */
export interface World {
  readonly fixture: Fixture;
  readonly registry: Registry;
  readonly app: App;
  readonly authentication: Authentication;
  /** What ID tokens prove: the text of the token is the key. */
  readonly workloads: Map<string, readonly Grant[]>;
}

interface WorldOptions {
  /** Whether who meets others waits as on one machine. @default false - time only seems to pass */
  readonly waits?: boolean;
}

export async function openWorld({ waits = false }: WorldOptions = {}): Promise<World> {
  const fixture = await openFixture();
  const { registry } = fixture;
  if (waits) {
    Object.assign(registry, {
      pause: fullJitter(Math.random, setTimeout),
      steady: () => performance.now(),
    });
  }
  const workloads = new Map<string, readonly Grant[]>();
  const verifier: WorkloadVerifier = {
    async verify(_registry, idToken) {
      const grants = workloads.get(idToken);
      if (!grants) return { is: 'refused', why: 'unknown ID token' };
      const { name: issuer, stamp } = await testIssuer(registry);
      return { is: 'known', workload: { issuer, stamp, subject: idToken, grants } };
    },
  };
  const authentication = new Authentication({ registry, keys: new TableKeys(registry), workloads: verifier });
  const app = createApp({ registry, authentication });
  return { fixture, registry, app, authentication, workloads };
}

/** The issuer that ID tokens come from. */
async function testIssuer(registry: Registry): Promise<Issuer> {
  const [found] = await listIssuers(registry);
  const issuer = { name: 'test', issuer: 'https://issuer.test', audience: 'registry.test', rules: [] };
  return found ?? putIssuer(registry, issuer);
}

/** What principals are made in. */
export type Seed = Pick<World, 'registry' | 'workloads'>;

const given = { description: '', createdBy: 'test', password: PASSWORD };

/** Kinds of principals, each made with the grants. */
export const PRINCIPALS = {
  async user({ registry }: Seed, name: string, grants: readonly Grant[]): Promise<Login> {
    await createUser(registry, { ...given, name, grants });
    return { username: name, password: PASSWORD };
  },
  async member({ registry }: Seed, name: string, grants: readonly Grant[]): Promise<Login> {
    await createUser(registry, { ...given, name, grants: [] });
    await createGroup(registry, { ...given, name: `${name}s`, grants });
    await addMember(registry, `${name}s`, name);
    return { username: name, password: PASSWORD };
  },
  async token(world: Seed, name: string, grants: readonly Grant[]): Promise<Login> {
    await PRINCIPALS.user(world, name, grants);
    return tokenOf(world, name, undefined);
  },
  /** A token limited to the grants, of a user who may do everything. */
  async limited(world: Seed, name: string, grants: readonly Grant[]): Promise<Login> {
    await PRINCIPALS.user(world, name, [{ pattern: '*', actions: ['admin'] }]);
    return tokenOf(world, name, grants);
  },
  /** A token that is limited to nothing of much, of a user with the grants. */
  async narrowed(world: Seed, name: string, grants: readonly Grant[]): Promise<Login> {
    await PRINCIPALS.user(world, name, grants);
    return tokenOf(world, name, [{ pattern: 'elsewhere', actions: ['pull'] }]);
  },
  async robot({ registry }: Seed, name: string, grants: readonly Grant[]): Promise<Login> {
    const secret = await createRobot(registry, { ...given, name, grants });
    return { username: `robot/${name}`, password: secret?.text ?? '' };
  },
  async workload({ workloads }: Seed, name: string, grants: readonly Grant[]): Promise<Login> {
    workloads.set(name, grants);
    return { username: 'oidc', password: name };
  },
};

async function tokenOf(
  { registry }: Seed,
  user: string,
  grants: readonly Grant[] | undefined,
): Promise<Login> {
  const made = await createToken(registry, user, { description: '', grants });
  return { username: user, password: made?.secret.text ?? '' };
}

export const basic = ({ username, password }: Login) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** An access token for the scopes, as a client gets it; without a login an anonymous one. */
export async function tokenFor(
  { app }: Pick<World, 'app'>,
  login: Login | undefined,
  scopes: readonly string[],
): Promise<string> {
  const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]));
  const headers: Record<string, string> = login ? { Authorization: basic(login) } : {};
  const response = await app(new Request(`http://registry.test/token?${query}`, { headers }));
  const body = (await response.json()) as { token?: string };
  if (body.token === undefined) throw new Error(`no token: ${response.status} ${JSON.stringify(body)}`);
  return body.token;
}

/** The scopes that a challenge asks for. */
export function scopesIn(challenge: string | null): string[] {
  return /scope="([^"]*)"/.exec(challenge ?? '')?.[1]?.split(' ') ?? [];
}

/** Sends a request as clients do: without a token, then with the one that the challenge asks for. */
export async function sendAs(
  world: Pick<World, 'app'>,
  login: Login | undefined,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const url = `http://registry.test${path}`;
  const first = await world.app(new Request(url, init));
  if (first.status !== 401) return first;
  const token = await tokenFor(world, login, scopesIn(first.headers.get('www-authenticate')));
  const headers = new Headers(init.headers);
  headers.set('Authorization', `Bearer ${token}`);
  return world.app(new Request(url, { ...init, headers }));
}
