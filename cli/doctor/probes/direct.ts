import { digestOf } from '../../../functions/oci/digest.ts';
import { sizeText } from '../../text.ts';
import type { Deployment } from '../deployment.ts';
import { EVERY_FAMILY, PUT_FAMILIES } from '../families.ts';
import { failed, ok } from '../finding.ts';
import { headOf } from '../head.ts';
import type { Answer } from '../http.ts';
import { Noise } from '../noise.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';
import { DIRECT_BYTES, putBlob, recordPut } from '../uploads.ts';
import { checkCreated } from './inline.ts';

const MIB = 1024 * 1024;

const putOf = (name: string, size: string, bytes: number): Probe => ({
  name,
  title: `a blob of ${size} in one PUT`,
  ...(bytes > DIRECT_BYTES && { isLong: true }),
  run: (deployment) => putProbe(deployment, Math.min(bytes, deployment.options.largest)),
});

export const put5 = putOf('put-5mb', '5 MB', DIRECT_BYTES);
export const put200 = putOf('put-200mb', '200 MB', 200 * MIB);
export const put2000 = putOf('put-2gb', '2 GB', 2048 * MIB);

async function putProbe(deployment: Deployment, bytes: number) {
  const content = new Noise(bytes);
  // Hashed in a pass of its own, which is not to count.
  const { digest } = content;
  const started = performance.now();
  const answer = await putBlob(deployment, content, { digest });
  const seconds = (performance.now() - started) / 1000;
  recordPut(deployment, bytes, answer);
  checkCreated(answer, content, `PUT of ${sizeText(bytes)}`, PUT_FAMILIES);
  await checkReadable(deployment, content);
  // A small one is over before it says anything of the line.
  const speed = bytes > DIRECT_BYTES ? ` in ${seconds.toFixed(1)} s (${sizeText(bytes / seconds)}/s)` : '';
  return ok(`${sizeText(bytes)} taken${speed}, and found by HEAD`);
}

async function checkReadable(deployment: Deployment, { digest, length }: Noise): Promise<void> {
  const { status, headers } = await headOf(deployment, `blobs/${digest}`);
  if (status === 200 && headers['content-length'] === `${length}`) return;
  const said = `${status} with Content-Length: ${headers['content-length'] ?? 'none'}`;
  throw failed(`HEAD right after a PUT of ${length} bytes is answered ${said}`, {
    affects: EVERY_FAMILY,
    means: 'clients take the push for failed, or write a wrong size into the manifest',
    cure: 'look at the logs of the registry: it looks for the upload when it is asked for the blob',
  });
}

export const wrongDigest: Probe = {
  name: 'wrong-digest',
  title: 'a blob of 5 MB that does not match its digest',
  async run(deployment) {
    const content = new Noise(DIRECT_BYTES);
    const location = await deployment.startUpload();
    const wrong = digestOf('sha256', Buffer.from(content.digest));
    const refused = await putBlob(deployment, content, { location, digest: wrong });
    if (refused.status !== 400) throw notChecked(`it is answered ${describe(refused)}, not 400`);
    for (const digest of [wrong, content.digest]) {
      const { status } = await deployment.call('HEAD', deployment.path(`blobs/${digest}`));
      if (status !== 404) throw notChecked(`it is refused, but HEAD of ${digest} is answered ${status}`);
    }
    // Where the registry has had the bytes itself, they are part of the upload, which ends with them.
    if (!(await deployment.hasFront())) return ok('400, and nothing can be read');
    checkGoesOn(await putBlob(deployment, content, { location }));
    return ok('400, nothing can be read, and the same upload takes the right bytes afterwards');
  },
};

const notChecked = (says: string) =>
  failed(says, {
    affects: EVERY_FAMILY,
    means: 'damaged or forged layers can be stored under a digest that is not theirs',
    cure: 'do not use this deployment: the store does not check x-amz-checksum-sha256 as the front door sets it',
  });

function checkGoesOn(answer: Answer): void {
  if (answer.status === 201) return;
  throw failed(`after the refusal the same upload with the right bytes is answered ${describe(answer)}`, {
    affects: PUT_FAMILIES,
    means: 'a client that tries again fails until it opens a new upload',
    cure: 'look at the logs of the registry at this time',
  });
}
