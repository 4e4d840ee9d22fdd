import type { Deployment } from '../deployment.ts';
import { EVERY_FAMILY } from '../families.ts';
import { failed, ok, warning } from '../finding.ts';
import type { Answer } from '../http.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';

const RENAMED = 'x-amzn-remapped-www-authenticate';
const MEANS = 'clients do not learn where to log in, so nobody can pull or push';

export const challenge: Probe = {
  name: 'challenge',
  title: 'the 401 that tells clients where to log in',
  needs: 'nothing',
  async run(deployment) {
    const ping = await deployment.call('GET', '/v2/', { as: 'nobody' });
    if (ping.status === 200) {
      return warning('it asks for no login', {
        affects: EVERY_FAMILY,
        means: 'whoever can connect may do everything',
        cure: 'start it without STOWAGE_OPEN',
      });
    }
    const { realm, service } = challengeIn(ping, 'GET /v2/');
    await checkRealm(deployment, realm);
    await checkScope(deployment, 'GET', 'tags/list', 'pull');
    await checkScope(deployment, 'POST', 'blobs/uploads/', 'pull,push');
    await checkForgedHost(deployment, realm);
    return ok(`WWW-Authenticate arrives: realm ${realm}, service ${service}, and a scope for a repository`);
  },
};

interface Challenge {
  readonly realm: string;
  readonly service: string;
  readonly scope: string;
}

/** The challenge of a 401; a failure where it is missing, renamed or not Bearer. */
function challengeIn(answer: Answer, what: string): Challenge {
  const header = answer.headers['www-authenticate'];
  if (answer.status === 401 && header === undefined && answer.headers[RENAMED] !== undefined) {
    throw failed(`the gateway renames WWW-Authenticate to ${RENAMED} (${what})`, {
      affects: EVERY_FAMILY,
      means: MEANS,
      cure: 'let the front door answer it: attach viewer-request to the default behaviour of the distribution',
    });
  }
  const [, scheme, text = ''] = /^(\S+) (.*)$/.exec(header ?? '') ?? [];
  const values = Object.fromEntries(
    [...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  const { realm = '', service = '', scope = '' } = values;
  if (answer.status === 401 && scheme === 'Bearer' && URL.canParse(realm) && service) {
    return { realm, service, scope };
  }
  throw failed(`${what} is answered ${describe(answer)} with WWW-Authenticate: ${header ?? 'none'}`, {
    affects: EVERY_FAMILY,
    means: MEANS,
    cure: 'look at what stands between the registry and here, such as a proxy that drops the header',
  });
}

async function checkRealm(deployment: Deployment, realm: string): Promise<void> {
  const url = new URL(realm);
  if (url.origin !== deployment.url.origin) {
    throw failed(`the realm is ${realm}, on another host than ${deployment.url.origin}`, {
      affects: EVERY_FAMILY,
      means: 'clients send their passwords there; behind a firewall they cannot reach it',
      cure: 'set publicUrl to the address that clients use',
    });
  }
  const answer = await deployment.send({ method: 'GET', url });
  if (answer.status === 200 || answer.status === 401) return;
  throw failed(`the realm ${realm} is answered ${describe(answer)}`, {
    affects: EVERY_FAMILY,
    means: 'nobody can log in',
    cure: 'see that /token is routed to the registry',
  });
}

async function checkScope(
  deployment: Deployment,
  method: string,
  rest: string,
  actions: string,
): Promise<void> {
  const path = deployment.path(rest);
  const answer = await deployment.call(method, path, { as: 'nobody' });
  const { scope } = challengeIn(answer, `${method} ${path}`);
  if (scope === `repository:${deployment.repository}:${actions}`) return;
  throw failed(`${method} ${path} asks for the scope "${scope}"`, {
    affects: ['containerd', 'oras', 'regctl'],
    means: 'clients that do not ask /v2/ first get a token for the wrong thing and are refused',
    cure: 'deploy the functions of the front door and the registry from one version',
  });
}

/** What a client says under the front door's own names must not count. */
async function checkForgedHost(deployment: Deployment, realm: string): Promise<void> {
  const headers = { 'x-stowage-host': 'forged.invalid', 'x-stowage-address': '192.0.2.1' };
  const answer = await deployment.call('GET', '/v2/', { as: 'nobody', headers });
  const forged = challengeIn(answer, 'GET /v2/ with x-stowage-host').realm;
  if (forged === realm) return;
  throw failed(`a client's own x-stowage-host header changes the realm to ${forged}`, {
    affects: EVERY_FAMILY,
    means: 'the audit trail can be given false addresses',
    cure: 'see that the front door runs viewer-request before every request',
  });
}
