import type { Deployment } from '../deployment.ts';
import { EVERY_FAMILY, PUT_FAMILIES } from '../families.ts';
import { failed, ok, skipped } from '../finding.ts';
import { Noise } from '../noise.ts';
import type { Probe } from '../probe.ts';
import { describe, partOf, withHeader } from '../tokens.ts';
import { DIRECT_BYTES, putBlob } from '../uploads.ts';

const NO_KEY = 'ffffffffffffffff';

export const keys: Probe = {
  name: 'keys',
  title: 'signing keys: the registry and its edge know the same ones',
  async run(deployment) {
    const token = await deployment.token('push');
    if (!token) return skipped('it asks for no login, so it signs nothing');
    await checkKnown(deployment);
    await checkUnknown(deployment, token.text);
    await checkForged(deployment, token.text);
    if (!(await deployment.hasFront()))
      return ok('a fresh token is taken, unknown keys and forgeries are not');
    await checkEdge(deployment);
    return ok('registry and edge take a fresh token; unknown keys and forgeries are refused');
  },
};

async function checkKnown(deployment: Deployment): Promise<void> {
  const answer = await deployment.call('GET', '/v2/');
  if (answer.status === 200) return;
  throw failed(`a token issued just now is answered ${describe(answer)}`, {
    affects: EVERY_FAMILY,
    means: 'nobody can pull or push',
    cure: 'run the key rotation again (rotate-keys); it publishes the keys to the edge',
  });
}

/** The edge leaves it to the registry, which may have a key that the edge has not been told of. */
async function checkUnknown(deployment: Deployment, token: string): Promise<void> {
  await checkRefused(
    deployment,
    withHeader(token, { ...partOf(token, 0), kid: NO_KEY }),
    'an unknown key id',
  );
}

async function checkForged(deployment: Deployment, token: string): Promise<void> {
  const flipped = token.endsWith('AAAA') ? 'BBBB' : 'AAAA';
  await checkRefused(deployment, token.slice(0, -4) + flipped, 'a forged signature');
  const unsigned = `${withHeader(token, { alg: 'none', typ: 'JWT' }).replace(/[^.]*$/, '')}`;
  await checkRefused(deployment, unsigned, 'no signature');
}

async function checkRefused(deployment: Deployment, token: string, what: string): Promise<void> {
  const answer = await deployment.call('GET', '/v2/', {
    as: 'nobody',
    headers: { Authorization: `Bearer ${token}` },
  });
  if (answer.status === 401 && answer.headers['www-authenticate'] !== undefined) return;
  throw failed(`a token with ${what} is answered ${describe(answer)}, not 401 with a challenge`, {
    affects: EVERY_FAMILY,
    means: answer.status < 300 ? 'anybody can be anybody' : 'clients do not learn that they need a new token',
    cure: 'take the registry off the network until it runs the version that this program came with',
  });
}

/** Only the direct lane insists that the edge itself knows the key. */
async function checkEdge(deployment: Deployment): Promise<void> {
  const answer = await putBlob(deployment, new Noise(DIRECT_BYTES));
  if (answer.status !== 401 && answer.status !== 403 && answer.status !== 400 && answer.status !== 503)
    return;
  throw failed(`the edge refuses a PUT with tokens issued just now: ${describe(answer)}`, {
    affects: PUT_FAMILIES,
    means: 'blobs above 4 MiB cannot be pushed',
    cure: 'the edge has old keys: run the key rotation again (rotate-keys), which publishes them',
  });
}
