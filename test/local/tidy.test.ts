import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { DEFAULT_LEASE } from '../../functions/upkeep/lease.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { pushBlob } from '../registry/fixture.ts';
import { scratch } from '../scratch.ts';

const HOUR = 60 * 60 * 1000;

it('deletes, hour by hour, the file of a blob that nothing uses, and not before the third day', async () => {
  const real = Date.now;
  let offset = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => real() + offset);
  onTestFinished(() => void vi.restoreAllMocks());
  const data = await scratch();
  const { registry, tidy, close } = await openEmbedded({ data });
  onTestFinished(close);
  await pushBlob(registry);
  const files = () => readdir(join(data, 'blobs'));
  let hours = 0;
  for (; (await files()).length > 0; hours += 1) {
    expect(hours).toBeLessThan(5 * 24);
    offset = hours * HOUR;
    await tidy(DEFAULT_LEASE);
  }
  expect(hours).toBeGreaterThan(3 * 24);
});
