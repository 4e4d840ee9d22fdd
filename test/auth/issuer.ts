import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

/** An OpenID provider on this machine: discovery, keys, and whatever tokens a test wants signed. */
export class IssuerServer {
  readonly url: string;
  /** How often its keys were fetched. */
  keysFetched = 0;
  /** How often it was asked for anything. */
  asked = 0;
  /** What it answers all requests with, where it is not well. */
  outage: number | undefined;
  /** What its discovery document says besides or instead. */
  discovery: Readonly<Record<string, string>> = {};
  #keys = new Map<string, KeyPair>();
  readonly #close: () => void;

  private constructor(url: string, close: () => void) {
    this.url = url;
    this.#close = close;
  }

  static async start(): Promise<IssuerServer> {
    const server = createServer((request, response) => {
      void issuer.#answer(request.url ?? '').then(([status, body]) => {
        response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const close = () => void server.close().closeAllConnections();
    const issuer = new IssuerServer(`http://127.0.0.1:${port}`, close);
    await issuer.rotate('first');
    return issuer;
  }

  close(): void {
    this.#close();
  }

  /** Replaces all its keys by a new one. */
  async rotate(keyId: string, algorithm = 'RS256'): Promise<void> {
    this.#keys = new Map([[keyId, await generateKeyPair(algorithm, { extractable: true })]]);
  }

  async publicKey(keyId = 'first') {
    const pair = this.#keys.get(keyId);
    if (!pair) throw new Error(`no key ${keyId}`);
    return exportJWK(pair.publicKey);
  }

  /** A token of its own, as a CI job is given it; `claims` replace those of the job. */
  async sign(claims: JWTPayload, { now, keyId = 'first', algorithm = 'RS256' }: Signing): Promise<string> {
    const pair = this.#keys.get(keyId);
    if (!pair) throw new Error(`no key ${keyId}`);
    return signWith(pair.privateKey, { iss: this.url, ...times(now), ...claims }, { keyId, algorithm });
  }

  async #answer(path: string): Promise<[number, unknown]> {
    this.asked += 1;
    if (this.outage !== undefined) return [this.outage, {}];
    if (path === '/.well-known/openid-configuration') {
      return [200, { issuer: this.url, jwks_uri: `${this.url}/keys`, ...this.discovery }];
    }
    if (path !== '/keys') return [404, {}];
    this.keysFetched += 1;
    const keys = [...this.#keys].map(async ([kid, { publicKey }]) => ({
      ...(await exportJWK(publicKey)),
      kid,
    }));
    return [200, { keys: await Promise.all(keys) }];
  }
}

interface Signing {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly keyId?: string;
  readonly algorithm?: string;
}

/** As a provider issues them: good for five minutes from now on. */
export function times(now: number): JWTPayload {
  const seconds = Math.floor(now / 1000);
  return { iat: seconds, nbf: seconds, exp: seconds + 300 };
}

/** A token that whoever has the key could have made. */
export async function signWith(
  key: Parameters<SignJWT['sign']>[0],
  claims: JWTPayload,
  { keyId, algorithm }: { readonly keyId: string; readonly algorithm: string },
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid: keyId, typ: 'JWT' }).sign(key);
}

/** What GitHub says of a job.
 *  https://docs.github.com/actions/reference/security/oidc */
export const GITHUB_JOB = {
  sub: 'repo:octo-org/app:ref:refs/heads/main',
  aud: 'registry.example.com',
  jti: '5ec2e7',
  repository: 'octo-org/app',
  repository_id: '74',
  repository_owner: 'octo-org',
  repository_owner_id: '65',
  repository_visibility: 'private',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  sha: '0123456789abcdef0123456789abcdef01234567',
  actor: 'octocat',
  event_name: 'push',
  environment: 'production',
  workflow: 'release',
  job_workflow_ref: 'octo-org/app/.github/workflows/release.yml@refs/heads/main',
  run_id: '30433642',
  run_attempt: '1',
  runner_environment: 'github-hosted',
};

/** What GitLab says of a job. https://docs.gitlab.com/ci/secrets/id_token_authentication/ */
export const GITLAB_JOB = {
  sub: 'project_path:group/app:ref_type:branch:ref:main',
  aud: 'registry.example.com',
  namespace_path: 'group',
  project_path: 'group/app',
  project_id: '22',
  user_login: 'sam',
  pipeline_source: 'push',
  ref: 'main',
  ref_type: 'branch',
  ref_protected: 'true',
  groups_direct: ['group/release', 'group/dev'],
};
