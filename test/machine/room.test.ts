import { expect, it } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { storageFull } from '../../functions/oci/host-errors.ts';
import type { Room } from '../../functions/registry/room.ts';
import { openFixture, pushBlob, REPOSITORY } from '../registry/fixture.ts';

/** A disk that is full. */
const NONE: Room = {
  look() {},
  require() {
    throw new Error('full');
  },
  refusalOf: (error) => (`${error}`.includes('full') ? storageFull('make room') : undefined),
};

it('refuses what adds to the registry, takes what reads or deletes, and logs why', async () => {
  const { registry } = await openFixture();
  const { digest } = await pushBlob(registry);
  const before = createApp({ registry });
  const causes: unknown[] = [];
  const app = createApp({ registry, room: NONE, onAnswer: ({ cause }) => causes.push(cause) });
  const send = (to: typeof app, method: string, path: string) =>
    to(new Request(`http://registry.test/v2/${REPOSITORY}/${path}`, { method }));
  const opened = await send(before, 'POST', 'blobs/uploads/');
  const upload = `blobs/uploads/${opened.headers.get('docker-upload-uuid')}`;
  for (const [method, path] of [
    ['POST', 'blobs/uploads/'],
    ['PATCH', upload],
    ['PUT', `${upload}?digest=${digest}`],
    ['PUT', 'manifests/tag'],
  ] as const) {
    const { status, statusText } = await send(app, method, path);
    // docker and podman show the line of the status, and nothing of the body.
    expect([status, statusText]).toEqual([507, expect.stringContaining('disk is full; make room')]);
  }
  expect(causes).toHaveLength(4);
  expect(causes.every((cause) => cause instanceof Error)).toBe(true);
  for (const [method, path, status] of [
    ['GET', `blobs/${digest}`, 200],
    ['HEAD', `blobs/${digest}`, 200],
    ['GET', upload, 204],
    ['DELETE', upload, 204],
    ['DELETE', `blobs/${digest}`, 202],
  ] as const) {
    expect([method, (await send(app, method, path)).status]).toEqual([method, status]);
  }
});
