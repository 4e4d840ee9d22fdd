import type { Deployment } from '../deployment.ts';
import { PUT_FAMILIES } from '../families.ts';
import { failed, ok } from '../finding.ts';
import type { Probe } from '../probe.ts';
import { describe, errorOf } from '../tokens.ts';
import { announcePut, DIRECT_BYTES, withQuery } from '../uploads.ts';
import { hasStreamHost } from './patches.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;
/** S3 makes an object of 5 GiB with one PUT. */
const TOO_LARGE = 5 * 1024 ** 3 + 1;

export const edgeLimits: Probe = {
  name: 'edge-limits',
  title: 'bodies that the edge must refuse before they are sent',
  needs: 'front door',
  async run(deployment) {
    const location = await deployment.startUpload();
    const twice = withQuery(location, ['digest', DIGEST], ['digest', DIGEST]);
    await check(deployment, { what: 'a digest given twice', target: twice, status: 400 });
    const malformed = withQuery(location, ['digest', 'sha256:zz']);
    await check(deployment, { what: 'a malformed digest', target: malformed, status: 400 });
    const manifest = deployment.path('manifests/too-large');
    await check(deployment, { what: 'a manifest of 5 MB', target: manifest, status: 413 });
    if (await hasStreamHost(deployment)) {
      return ok('refused with their reasons; more than 5 GiB goes to the stream host');
    }
    const target = withQuery(location, ['digest', DIGEST]);
    await check(deployment, { what: 'more than 5 GiB', target, status: 413, length: TOO_LARGE });
    return ok('refused with their reasons; the largest blob is 5 GiB');
  },
};

interface Expected {
  readonly what: string;
  readonly target: string;
  readonly status: number;
  readonly length?: number;
}

async function check(
  deployment: Deployment,
  { what, target, status, length = DIRECT_BYTES }: Expected,
): Promise<void> {
  const answer = await announcePut(deployment, target, length).catch((error: Error) => error);
  if (!(answer instanceof Error) && answer.status === status && errorOf(answer).code) return;
  const says =
    answer instanceof Error ? `not answered at once: ${answer.message}` : `answered ${describe(answer)}`;
  throw failed(`${what} is ${says}, not ${status} with a reason`, {
    affects: PUT_FAMILIES,
    means: 'a client sends all of it in vain, and then reports something that no one understands',
    cure: 'see that the front door runs viewer-request of this version',
  });
}
