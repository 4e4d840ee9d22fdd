import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { EdgeRequest } from '../aws/front/edge-event.ts';
import type { EdgeFunctions } from '../aws/front/runtime.ts';
import { bearer, errorOf, openDoor, uploadToken, VIEWER } from './door.ts';
import { answered, requests } from './generated.ts';

const STATUSES = [400, 401, 403, 413, 503];

async function holds(door: EdgeFunctions, request: EdgeRequest): Promise<void> {
  const outcome = await door.viewerRequest(structuredClone(request), VIEWER);
  if (outcome.is === 'response') {
    expect(STATUSES).toContain(outcome.response.statusCode);
    expect(errorOf(outcome.response).message).not.toBe('');
    return;
  }
  const { headers, uri: path } = outcome.request;
  if (outcome.origin === 'blobs') expect(path).toMatch(/^\/blobs\/[0-9a-f-]{36}$/);
  if (outcome.origin === 'blobs') expect(headers).not.toHaveProperty('x-amz-copy-source');
  else expect(headers).not.toHaveProperty('x-stowage-created');
}

it.each([false, true])(
  'whatever is sent, the function answers an error or passes the request on (stream host: %s)',
  async (stream) => {
    const door = await openDoor({ settings: { streamHost: stream } });
    const all = requests(await uploadToken(), await bearer());
    await fc.assert(
      fc.asyncProperty(all, (request) => holds(door, request)),
      { numRuns: 1000 },
    );
  },
);

it('whatever is answered, the viewer gets an answer', async () => {
  const door = await openDoor();
  await fc.assert(
    fc.asyncProperty(answered, async ({ request, uri: path, response }) => {
      const answer = await door.viewerResponse({ ...request, uri: path }, response);
      expect(answer.headers['content-length']).toEqual(response.headers['content-length']);
    }),
    { numRuns: 500 },
  );
});
