import type { Credential } from '../../log-in.ts';
import type { Deployment } from '../deployment.ts';
import { EVERY_FAMILY } from '../families.ts';
import { failed, ok, skipped } from '../finding.ts';
import type { Answer, Headers } from '../http.ts';
import type { Probe } from '../probe.ts';
import { describe, tokenIn } from '../tokens.ts';

export const token: Probe = {
  name: 'token',
  title: 'tokens, by GET and by POST form',
  needs: 'nothing',
  async run(deployment) {
    const { credential } = deployment.options;
    const hindrance = await deployment.hindrance();
    if (hindrance !== undefined) throw refused(hindrance);
    const issued = await deployment.token('push');
    if (!issued) return skipped('it asks for no login');
    const byGet = await askByGet(deployment, credential);
    if (byGet.status !== 200) throw refused(`GET /token is answered ${describe(byGet)}`);
    tokenIn(byGet);
    await checkAccepted(deployment);
    const how =
      credential?.is === 'password' ? 'with Basic' : 'without a login, as a saved one has no password';
    const minutes = Math.round(((issued.claims.exp ?? 0) - (issued.claims.iat ?? 0)) / 60);
    return ok(`POST form and GET (${how}) give tokens of ${minutes} minutes, which GET /v2/ takes`);
  },
};

/** As docker, podman and crane ask. */
function askByGet(deployment: Deployment, credential: Credential | undefined): Promise<Answer> {
  const url = new URL('/token?service=stowage', deployment.url);
  url.searchParams.set('scope', `repository:${deployment.repository}:pull`);
  return deployment.send({ method: 'GET', url, headers: basic(credential) });
}

function basic(credential: Credential | undefined): Headers {
  if (credential?.is !== 'password') return {};
  const text = Buffer.from(`${credential.username}:${credential.password}`).toString('base64');
  return { Authorization: `Basic ${text}` };
}

async function checkAccepted(deployment: Deployment): Promise<void> {
  const ping = await deployment.call('GET', '/v2/');
  if (ping.status !== 200) throw refused(`GET /v2/ with a fresh token is answered ${describe(ping)}`);
}

const refused = (says: string) =>
  failed(says, {
    affects: EVERY_FAMILY,
    means: 'nothing else can be tried, and clients with this login cannot push',
    cure: 'log in with "stowage login", or set STOWAGE_USERNAME and STOWAGE_TOKEN, as somebody who may push',
  });
