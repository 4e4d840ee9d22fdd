import type { Deployment } from '../deployment.ts';
import { downloaded } from '../download.ts';
import { EVERY_FAMILY } from '../families.ts';
import { failed, notHere, ok } from '../finding.ts';
import { Noise } from '../noise.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';
import { DIRECT_BYTES, putBlob } from '../uploads.ts';

export const replay: Probe = {
  name: 'replay',
  title: 'an upload token that is used again',
  needs: 'front door',
  async run(deployment) {
    const [first, second] = [new Noise(DIRECT_BYTES), new Noise(DIRECT_BYTES)];
    const location = await deployment.startUpload();
    const taken = await putBlob(deployment, first, { location });
    if (taken.status !== 201) throw notHere(`it needs a PUT of 5 MB, which was answered ${describe(taken)}`);
    const again = await putBlob(deployment, second, { location });
    if (again.status < 400 || again.status >= 500) {
      throw replaced(`other bytes to the same upload are answered ${describe(again)}, not refused`);
    }
    await checkUnchanged(deployment, first);
    return ok(`refused with ${again.status}, and the blob still has its bytes`);
  },
};

async function checkUnchanged(deployment: Deployment, { digest }: Noise): Promise<void> {
  await deployment.call('HEAD', deployment.path(`blobs/${digest}`)); // it need not have been linked yet
  const found = await downloaded(deployment, digest);
  if (found === digest) return;
  throw replaced(`after it the blob ${digest} reads as ${found}`);
}

const replaced = (says: string) =>
  failed(says, {
    affects: EVERY_FAMILY,
    means: 'whoever pushed a blob can replace its bytes for an hour, under a digest that no longer fits',
    cure: 'see that the front door sets If-None-Match: * towards S3, and that its origin access control signs it',
  });
