import type { Deployment } from '../deployment.ts';
import type { Family } from '../families.ts';
import { failed, ok } from '../finding.ts';
import { headOf } from '../head.ts';
import type { Probe } from '../probe.ts';
import { pushImage, sharedLayer } from '../uploads.ts';

export const heads: Probe = {
  name: 'heads',
  title: 'HEAD of manifests and blobs: length and digest',
  async run(deployment) {
    const { digest, tag, bytes, config } = await pushImage(deployment, 'heads');
    const image = { digest, length: bytes.length };
    await check(deployment, `manifests/${tag}`, image, ['containerd', 'docker-classic']);
    await check(deployment, `manifests/${digest}`, image, ['containerd', 'docker-classic']);
    await check(deployment, `blobs/${config.digest}`, config, ['docker-classic', 'podman']);
    const layer = await sharedLayer(deployment);
    await check(deployment, `blobs/${layer.digest}`, layer, ['docker-classic', 'podman']);
    return ok('Content-Length and Docker-Content-Digest are those of the content');
  },
};

interface Expected {
  readonly digest: string;
  readonly length: number;
}

async function check(
  deployment: Deployment,
  rest: string,
  { digest, length }: Expected,
  affects: readonly Family[],
): Promise<void> {
  const accept = { Accept: 'application/vnd.oci.image.manifest.v1+json, */*' };
  const { status, headers } = await headOf(deployment, rest, { headers: accept });
  const { 'content-length': said = 'none', 'docker-content-digest': saidDigest = 'none' } = headers;
  const isManifest = rest.startsWith('manifests/');
  if (status !== 200 || said !== `${length}`) {
    throw failed(`HEAD ${rest} is answered ${status} with Content-Length: ${said}, not ${length}`, {
      affects,
      means: isManifest
        ? 'docker with the containerd store, and every containerd, cannot pull'
        : 'docker pushes images whose config has no size, and which others cannot pull',
      cure: 'see that nothing on the way computes the length anew from the empty body of HEAD; of blobs on AWS, deploy with -c heads=redirected',
    });
  }
  if (saidDigest === digest) return;
  throw failed(`HEAD ${rest} is answered with Docker-Content-Digest: ${saidDigest}`, {
    affects,
    means: 'clients ask again with GET, or refuse what they get',
    cure: 'see what drops the header between the registry and here',
  });
}
