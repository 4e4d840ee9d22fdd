import { beforeAll, expect, it } from 'vitest';
import type { EdgeResponse, EdgeValues } from '../aws/front/edge-event.ts';
import type { EdgeFunctions } from '../aws/front/runtime.ts';
import {
  blobPut,
  DIGEST,
  MIB,
  NAME,
  OBJECT,
  openDoor,
  passedOn,
  requestOf,
  SESSION,
  VIEWER,
} from './door.ts';

let door: EdgeFunctions;

beforeAll(async () => {
  door = await openDoor();
});

const headers = (entries: Record<string, string>): EdgeValues =>
  Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, { value }]));

/** What S3 says of an object. */
const STORED = {
  date: 'Wed, 25 Nov 2026 12:00:00 GMT',
  etag: '"0"',
  'last-modified': 'Mon, 02 Nov 2026 12:00:00 GMT',
  server: 'AmazonS3',
  'x-amz-checksum-sha256': 'abc=',
  'x-amz-id-2': 'x',
  'x-amz-meta-stowage-lane': 'direct',
  'x-amz-request-id': 'x',
  'x-amz-server-side-encryption': 'AES256',
  'x-amz-version-id': 'x',
};

/** What every answer of the registry carries. */
const SAFE = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'x-content-type-options': 'nosniff',
};

const stored = (statusCode: number, more: Record<string, string> = {}): EdgeResponse => ({
  statusCode,
  statusDescription: 'OK',
  headers: headers({ ...STORED, ...more }),
});

const uploadRequest = async () =>
  passedOn(await door.viewerRequest(await blobPut({ size: 5 * MIB }), VIEWER));

it.each([
  ['as viewer-request has left it', uploadRequest],
  ['as the client has sent it', () => blobPut({ size: 5 * MIB })],
])(
  'a blob that the store has taken is a 201 with its place and digest, and no word of the store; the event has the request %s',
  async (_, requestOfEvent) => {
    const response = await door.viewerResponse(
      await requestOfEvent(),
      stored(200, { 'content-length': '0' }),
    );
    expect(response).toMatchObject({ statusCode: 201, statusDescription: 'Created' });
    expect(response.headers).toEqual(
      headers({
        'cache-control': 'no-store',
        'content-length': '0',
        date: STORED.date,
        'docker-content-digest': DIGEST,
        'docker-distribution-api-version': 'registry/2.0',
        location: `/v2/${NAME}/blobs/${DIGEST}`,
        server: STORED.server,
        ...SAFE,
      }),
    );
  },
);

it('any other answer to an upload stays as it is', async () => {
  const response = stored(307, { location: 'https://elsewhere' });
  for (const request of [await uploadRequest(), await blobPut({ size: 5 * MIB })])
    expect(await door.viewerResponse(request, response)).toEqual(response);
});

it('the place of a blob that the store has taken is that of its repository, however the client wrote it', async () => {
  const forged = { 'x-stowage-created': '/v2/other/blobs/sha256:y' };
  const path = `/v2/${NAME.replace('/', '%2F')}/blobs/uploads/${SESSION}`;
  const request = await blobPut({ size: 5 * MIB, path, headers: forged });
  const { headers } = await door.viewerResponse(request, stored(200));
  expect(headers).toMatchObject({
    location: { value: `/v2/${NAME}/blobs/${DIGEST}` },
    'docker-content-digest': { value: DIGEST },
  });
});

it('an answer of the registry to a chunk is none of the store', async () => {
  const request = { ...(await blobPut({ size: 5 * MIB })), method: 'PATCH' };
  const response = { statusCode: 200, headers: headers({ 'content-type': 'application/json' }) };
  expect(await door.viewerResponse(request, response)).toEqual(response);
});

it('a client cannot have an answer of the registry changed', async () => {
  const request = requestOf('GET', '/token', { 'x-stowage-created': '/v2/x/blobs/y' });
  const left = passedOn(await door.viewerRequest(request, VIEWER));
  const response = { statusCode: 200, headers: headers({ 'content-type': 'application/json' }) };
  expect(await door.viewerResponse(left, response)).toEqual(response);
});

it.each(['GET', 'HEAD'])('a client cannot have a download (%s) pass for an upload', async (method) => {
  const forged = { 'x-stowage-created': '/v2/x/blobs/sha256:y' };
  const request = requestOf(method, `/blobs/${OBJECT}?digest=${encodeURIComponent(DIGEST)}`, forged);
  const response = await door.viewerResponse(request, stored(200));
  expect(response.statusCode).toBe(200);
  expect(response.headers).not.toHaveProperty('location');
});

it.each([
  ['GET', 200, {}],
  ['HEAD', 200, {}],
  ['GET', 206, { 'content-range': 'bytes 0-9/100' }],
])(
  'a download (%s, %i) carries its digest, is nothing for a browser to show, and tells no age of its object',
  async (method, status, more) => {
    const request = requestOf(method, `/blobs/${OBJECT}?digest=${encodeURIComponent(DIGEST)}`);
    const response = await door.viewerResponse(
      request,
      stored(status, {
        'content-type': 'text/html',
        'content-length': '100',
        'accept-ranges': 'bytes',
        ...more,
      }),
    );
    expect(response.statusCode).toBe(status);
    expect(response.headers).toEqual(
      headers({
        'accept-ranges': 'bytes',
        'cache-control': 'private, max-age=31536000, immutable',
        'content-length': '100',
        'content-type': 'application/octet-stream',
        date: STORED.date,
        'docker-content-digest': DIGEST,
        server: STORED.server,
        ...SAFE,
        ...more,
      }),
    );
  },
);

it('an answer of the registry passes as it is', async () => {
  const response: EdgeResponse = {
    statusCode: 307,
    statusDescription: 'Temporary Redirect',
    headers: headers({ location: `/blobs/${OBJECT}?digest=${DIGEST}`, 'content-length': '0' }),
    cookies: {},
  };
  const request = requestOf('GET', `/v2/${NAME}/blobs/${DIGEST}`);
  expect(await door.viewerResponse(request, response)).toEqual(response);
});
