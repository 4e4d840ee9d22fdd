import type { Deployment } from '../deployment.ts';
import { EVERY_FAMILY, type Family, PATCH_FAMILIES, PUT_FAMILIES } from '../families.ts';
import { failed, ok } from '../finding.ts';
import { headOf } from '../head.ts';
import type { Answer } from '../http.ts';
import { Noise } from '../noise.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';
import { putBlob, recordPut, SMALL_BYTES, withQuery } from '../uploads.ts';

/** Well inside what passes through the registry itself. */
const PATCH_BYTES = 1024 * 1024;

export const inline: Probe = {
  name: 'inline',
  title: 'small blobs, by PUT and by PATCH with a length',
  async run(deployment) {
    const small = new Noise(SMALL_BYTES);
    const put = await putBlob(deployment, small);
    recordPut(deployment, small.length, put);
    checkCreated(put, small, 'PUT of 2 kB', PUT_FAMILIES);
    const patched = new Noise(PATCH_BYTES);
    await patch(deployment, patched);
    await checkRead(deployment, small);
    await checkRead(deployment, patched);
    const refused = await putBlob(deployment, new Noise(SMALL_BYTES), { digest: small.digest });
    if (refused.status === 400) return ok('both are taken and read back, and a wrong digest is refused');
    throw failed(`a small PUT with a wrong digest is answered ${describe(refused)}, not 400`, {
      affects: EVERY_FAMILY,
      means: 'damaged layers are kept as if they were right',
      cure: 'do not use this registry; it does not check what it stores',
    });
  },
};

/** What a blob that was taken must be answered; also what recent clients no longer insist on. */
export function checkCreated(
  answer: Answer,
  { digest }: Noise,
  what: string,
  affects: readonly Family[],
): void {
  if (answer.status !== 201) {
    throw failed(`${what} is answered ${describe(answer)}, not 201`, {
      affects,
      means: 'such a blob cannot be pushed',
      cure: 'see the message; the logs of the registry at this time may say more',
    });
  }
  const { location, 'docker-content-digest': said } = answer.headers;
  if (said === digest && location) return;
  const lacks = said === digest ? 'Location' : `the right Docker-Content-Digest (it is ${said ?? 'absent'})`;
  throw failed(`${what} is answered 201, but without ${lacks}`, {
    affects,
    means: 'containerd before 2.2 and docker before 29.1 take the push for failed',
    cure: 'see that the front door runs viewer-response on the default behaviour',
  });
}

async function patch(deployment: Deployment, content: Noise): Promise<void> {
  const location = await deployment.startUpload();
  const answer = await deployment.call('PATCH', location, {
    headers: { 'Content-Type': 'application/octet-stream' },
    body: { chunks: content.pieces(), length: content.length },
  });
  const meaning = {
    affects: PATCH_FAMILIES,
    means: 'they cannot push a blob of any size, or write a wrong size into the manifest',
    cure: 'look at the logs of the registry at this time',
  };
  const { range, location: next } = answer.headers;
  if (answer.status !== 202 || range !== `0-${content.length - 1}` || !next) {
    throw failed(`PATCH of 1 MiB is answered ${describe(answer)} with Range: ${range ?? 'none'}`, meaning);
  }
  const closed = await deployment.call('PUT', withQuery(next, ['digest', content.digest]));
  checkCreated(closed, content, 'the PUT that ends a PATCH', PATCH_FAMILIES);
}

async function checkRead(deployment: Deployment, { digest, length }: Noise): Promise<void> {
  const answer = await headOf(deployment, `blobs/${digest}`);
  if (answer.status === 200) return;
  throw failed(`HEAD of a blob of ${length} bytes that was just pushed is answered ${answer.status}`, {
    affects: EVERY_FAMILY,
    means: 'docker takes the push for failed; images cannot be pulled',
    cure: 'look at the logs of the registry at this time',
  });
}
