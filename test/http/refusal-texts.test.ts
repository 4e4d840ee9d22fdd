import { expect, it } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { openFixture, push } from '../registry/fixture.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const SESSION = '00000000-0000-0000-0000-000000000000';
const image = (digest: string) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 },
    layers: [],
  });

const REFUSALS: readonly (readonly [line: string, status: number, message: string, body?: string])[] = [
  ['GET team/none/tags/list', 404, 'repository team/none is not known to registry'],
  ['GET team/app/manifests/v1', 404, 'manifest v1 unknown to repository team/app'],
  [`GET team/app/manifests/${DIGEST}`, 404, `manifest ${DIGEST} unknown to repository team/app`],
  ['DELETE team/app/manifests/v1', 404, 'manifest v1 unknown to repository team/app'],
  [`DELETE team/app/manifests/${DIGEST}`, 404, `manifest ${DIGEST} unknown to repository team/app`],
  [`GET team/app/blobs/${DIGEST}`, 404, `blob ${DIGEST} unknown to repository team/app`],
  [`DELETE team/app/blobs/${DIGEST}`, 404, `blob ${DIGEST} unknown to repository team/app`],
  [
    `PATCH team/app/blobs/uploads/${SESSION}`,
    404,
    'upload session unknown to repository team/app, expired or finished; start a new one',
  ],
  [
    'PUT team/app/manifests/v1',
    400,
    `manifest refers to content unknown to repository team/app: ${DIGEST}`,
    image(DIGEST),
  ],
  [`PUT team/app/manifests/${DIGEST}`, 400, `content does not match the digest ${DIGEST}`, image(DIGEST)],
  [
    'GET team/app/blobs/sha256:abc',
    400,
    'digest "sha256:abc" is malformed, or its algorithm is not sha256 or sha512',
  ],
  ['GET team/app/manifests/-v1', 400, 'tag "-v1" does not match [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'],
  [
    'GET Team/tags/list',
    400,
    'repository name "Team" breaks the grammar or is over 255 characters: lower-case letters and digits, with . _ - and / between',
  ],
  ['PATCH team/app/tags/list', 405, 'PATCH is not supported on this endpoint; it takes GET'],
  [
    'POST team/app/blobs/uploads/?digest-algorithm=md5',
    400,
    'digest algorithm "md5" is not supported; use sha256 or sha512',
  ],
  ['GET team/app/tags/list?n=x', 400, 'n is not a number of entries'],
];

const NAMED = REFUSALS.map(([line, status, message, body]) => ({ line, status, message, body }));

it.each(NAMED)(
  '$line is answered $status and says what it is about',
  async ({ line, status, message, body }) => {
    const { registry } = await openFixture();
    const empty = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
    await push(registry, Buffer.from(JSON.stringify(empty)), 'latest');
    const [method = '', path = ''] = line.split(' ');
    const init = { method, ...(body !== undefined && { body: Buffer.from(body) }) };
    const answer = await createApp({ registry })(new Request(`http://localhost/v2/${path}`, init));
    const { errors } = (await answer.json()) as { errors: { message: string }[] };
    expect([answer.status, errors[0]?.message]).toEqual([status, message]);
  },
);
