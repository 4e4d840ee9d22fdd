import { uploadTokenIn } from '../deployment.ts';
import { EVERY_FAMILY } from '../families.ts';
import { failed, ok } from '../finding.ts';
import type { Probe } from '../probe.ts';

export const uploadLocation: Probe = {
  name: 'upload-location',
  title: 'where an upload is sent to',
  async run(deployment) {
    const location = await deployment.startUpload();
    const path = location.split('?')[0] ?? '';
    if (!location.startsWith('/') || location.startsWith('//')) {
      throw failed(`the Location of an upload is absolute: ${location.split('?')[0]}`, {
        affects: ['oras', 'podman'],
        means: 'oras and helm refuse another host or port; podman and skopeo send it their Authorization',
        cure: 'see what rewrites Location between the registry and here',
      });
    }
    if (!path.startsWith(deployment.path('blobs/uploads/')) || path.includes('%')) {
      throw failed(`the Location of an upload is no plain path of its repository: ${path}`, {
        affects: ['containerd'],
        means: 'containerd decodes the path and sends its upload elsewhere',
        cure: 'see what rewrites Location between the registry and here',
      });
    }
    if (uploadTokenIn(location)) return ok('relative, with a token for the direct way to the store');
    await checkNoFront(await deployment.call('GET', '/v2/'));
    return ok('relative, without a token: this registry takes bodies of any size itself');
  },
};

/** Behind CloudFront a registry that hands out no token can take 4 MiB at most. */
async function checkNoFront({
  headers,
}: {
  readonly headers: NodeJS.Dict<string | string[]>;
}): Promise<void> {
  if (headers['x-amz-cf-id'] === undefined && headers['apigw-requestid'] === undefined) return;
  throw failed('it is behind AWS, but the Location of an upload has no token for the direct way', {
    affects: EVERY_FAMILY,
    means: 'no blob above 4 MiB can be pushed',
    cure: 'see that STOWAGE_FRONT_SECRET_SHA256 of the function is set; deploy the stack again',
  });
}
