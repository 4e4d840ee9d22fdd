import type { Deployment } from '../deployment.ts';
import { failed, notHere, ok } from '../finding.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';
import { pushImage } from '../uploads.ts';

export const deletion: Probe = {
  name: 'deletion',
  title: 'what is deleted is gone at once',
  async run(deployment) {
    const token = await deployment.token('push');
    if (token && !deployment.mayDo(token, 'delete')) {
      throw notHere(`this login may not delete in ${deployment.repository}`);
    }
    const { digest, tag, config } = await pushImage(deployment, 'deleted');
    await checkGone(deployment, `manifests/${digest}`, [`manifests/${digest}`, `manifests/${tag}`]);
    await checkGone(deployment, `blobs/${config.digest}`, [`blobs/${config.digest}`]);
    return ok('manifest, tag and blob are gone with the answer to DELETE');
  },
};

async function checkGone(deployment: Deployment, target: string, gone: readonly string[]): Promise<void> {
  const answer = await deployment.call('DELETE', deployment.path(target));
  if (answer.status !== 202) throw stays(`DELETE ${target} is answered ${describe(answer)}, not 202`);
  for (const rest of gone) {
    const { status, headers } = await deployment.call('GET', deployment.path(rest), {
      headers: { Accept: 'application/vnd.oci.image.manifest.v1+json, */*' },
    });
    const age = headers.age === undefined ? '' : `, from a cache that is ${headers.age} s old`;
    if (status !== 404) throw stays(`after DELETE, GET ${rest} is answered ${status}${age}`);
  }
}

const stays = (says: string) =>
  failed(says, {
    affects: [],
    means: 'what was deleted, perhaps for a leaked secret, can still be pulled',
    cure: 'see that the default behaviour of the distribution caches nothing',
  });
