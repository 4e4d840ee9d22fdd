import { downloaded } from '../download.ts';
import { EVERY_FAMILY } from '../families.ts';
import { failed, ok } from '../finding.ts';
import { Noise } from '../noise.ts';
import type { Probe } from '../probe.ts';
import { describe } from '../tokens.ts';
import { DIRECT_BYTES, putBlob } from '../uploads.ts';

/** What S3 would obey, each of which makes the PUT fail or do something else. */
const SMUGGLED = {
  'x-amz-copy-source': '/somewhere/else',
  'x-amz-acl': 'public-read',
  'x-amz-checksum-sha256': Buffer.alloc(32).toString('base64'),
  'x-amz-meta-stowage-lane': 'forged',
  'x-amz-storage-class': 'GLACIER',
  'Content-MD5': Buffer.alloc(16).toString('base64'),
  'Content-Encoding': 'gzip',
  'x-stowage-created': '/v2/forged',
};

export const smuggling: Probe = {
  name: 'smuggling',
  title: "a client's own headers for S3",
  needs: 'front door',
  async run(deployment) {
    const content = new Noise(DIRECT_BYTES);
    const answer = await putBlob(deployment, content, { headers: SMUGGLED });
    if (answer.status !== 201)
      throw obeyed(`a PUT with x-amz-copy-source and the like is answered ${describe(answer)}`);
    const expected = deployment.path(`blobs/${content.digest}`);
    if (answer.headers.location !== expected)
      throw obeyed(`it is answered with Location: ${answer.headers.location}`);
    await deployment.call('HEAD', expected); // it need not have been linked yet
    const found = await downloaded(deployment, content.digest);
    if (found !== content.digest) throw obeyed(`the blob ${content.digest} reads as ${found}`);
    return ok('x-amz-copy-source and seven others are ignored');
  },
};

const obeyed = (says: string) =>
  failed(says, {
    affects: EVERY_FAMILY,
    means: 'whoever may push can copy or expose objects of the bucket that they have no right to',
    cure: 'stop pushes until the front door runs viewer-request of this version, which drops these headers',
  });
