import type { Deployment } from '../deployment.ts';
import { EVERY_FAMILY } from '../families.ts';
import { failed, ok, skipped } from '../finding.ts';
import type { Headers } from '../http.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';

export const origin: Probe = {
  name: 'origin',
  title: 'the registry cannot be reached around its front door',
  needs: 'nothing',
  async run(deployment) {
    const { origin: text } = deployment.options;
    if (text === undefined) return skipped('name the API endpoint of the stack with --origin URL to try it');
    const base = text.endsWith('/') ? text : `${text}/`; // a stage may have a path
    const url = new URL('v2/', base);
    await check(deployment, url, 'nothing', {});
    await check(deployment, url, 'a forged x-stowage-front', {
      'x-stowage-front': 'forged',
      'x-stowage-host': 'forged.invalid',
    });
    await check(deployment, new URL('token', base), 'nothing, for a token', {});
    return ok('403, with nothing and with a forged x-stowage-front');
  },
};

async function check(deployment: Deployment, url: URL, what: string, headers: Headers): Promise<void> {
  const answer = await deployment.send({ method: 'GET', url, headers });
  if (answer.status === 403) return;
  throw failed(`${url.href} with ${what} is answered ${describe(answer)}, not 403`, {
    affects: EVERY_FAMILY,
    means: 'the limits and checks of the front door, and a firewall before it, can be passed by',
    cure: 'set STOWAGE_FRONT_SECRET_SHA256 of the function to the hash of what the distribution sends; deploy the stack again',
  });
}
