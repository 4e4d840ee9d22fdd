import { digestOf } from '../../../functions/oci/digest.ts';
import type { Deployment } from '../deployment.ts';
import { type Download, download } from '../download.ts';
import { EVERY_FAMILY } from '../families.ts';
import { failed, ok } from '../finding.ts';
import type { Noise } from '../noise.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';
import { sharedLayer } from '../uploads.ts';

export const downloads: Probe = {
  name: 'download',
  title: 'a blob of 5 MB, and where a redirect leads',
  async run(deployment) {
    const { digest } = await sharedLayer(deployment);
    const found = await download(deployment, digest);
    const { first, last, target } = found;
    const wrong = last.status !== 200 ? describe(last) : mismatch(digest, last.body);
    if (wrong !== undefined) {
      throw failed(`${target ? `the redirect to ${target.host}` : 'GET'} is answered ${wrong}`, {
        affects: EVERY_FAMILY,
        means: 'images cannot be pulled',
        cure: 'see that the role of the function may read the bucket, or that the key group is the current one',
      });
    }
    checkDigest(deployment, digest, found);
    if (!target) return ok('the registry answers it itself');
    const isOwn = target.host === deployment.url.host;
    const noted = isOwn ? 'the final answer has Docker-Content-Digest' : 'S3 sends no Docker-Content-Digest';
    return ok(`${first.status} to ${target.host}, the bytes are right; ${noted}`);
  },
};

function mismatch(digest: string, body: Buffer): string | undefined {
  const found = digestOf('sha256', body);
  return found === digest ? undefined : `200 with other bytes (${found})`;
}

/** S3 cannot send it; where the registry's own host answers, it must. */
function checkDigest({ url }: Deployment, digest: string, { first, last, target }: Download): void {
  const where = target?.host === url.host ? last : first;
  const said = where.headers['docker-content-digest'];
  if (said === digest) return;
  throw failed(
    `${where === last ? 'the final answer' : 'the redirect'} has Docker-Content-Digest: ${said ?? 'none'}`,
    {
      affects: ['containerd'],
      means: 'clients cannot check what they get before they have all of it',
      cure: 'see that viewer-response is attached to /blobs/*, and that nothing drops the header',
    },
  );
}

export const ranges: Probe = {
  name: 'ranges',
  title: 'parts of a blob, and going on after a break',
  async run(deployment) {
    const layer = await sharedLayer(deployment);
    const { length } = layer;
    await checkPart(deployment, layer, 'bytes=0-99', [0, 99]);
    await checkPart(deployment, layer, `bytes=${length - 1000}-`, [length - 1000, length - 1]);
    await checkPart(deployment, layer, 'bytes=-100', [length - 100, length - 1]);
    const { last } = await download(deployment, layer.digest, { Range: `bytes=${length}-` });
    if (last.status === 416) return ok('206 with Content-Range for three of them, 416 past the end');
    throw noParts(`a range past the end is answered ${last.status}, not 416`);
  },
};

async function checkPart(
  deployment: Deployment,
  layer: Noise,
  range: string,
  [first, last]: readonly [number, number],
): Promise<void> {
  const { last: answer } = await download(deployment, layer.digest, { Range: range });
  const said = answer.headers['content-range'];
  if (answer.status !== 206) throw noParts(`${range} is answered ${answer.status}, not 206`);
  if (said !== `bytes ${first}-${last}/${layer.length}`) {
    throw noParts(`${range} is answered with Content-Range: ${said ?? 'none'}`);
  }
  if (!answer.body.equals(layer.bytes().subarray(first, last + 1))) {
    throw noParts(`${range} is answered with other bytes`);
  }
}

const noParts = (says: string) =>
  failed(says, {
    affects: ['docker-classic', 'containerd', 'podman'],
    means: 'a pull that broke off starts again from the beginning, or ends with wrong bytes',
    cure: 'see what drops Range or Content-Range on the way to the store',
  });
