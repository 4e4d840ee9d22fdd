import { expect, it, onTestFinished, vi } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { blobKey } from '../../functions/registry/keys.ts';
import { openRepository } from '../../functions/registry/repositories.ts';
import { DEFAULT_LEASE } from '../../functions/upkeep/lease.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { objectFiles } from '../object-files.ts';
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
  let hours = 0;
  for (; objectFiles(data).length > 0; hours += 1) {
    expect(hours).toBeLessThan(5 * 24);
    offset = hours * HOUR;
    await tidy(DEFAULT_LEASE);
  }
  expect(hours).toBeGreaterThan(3 * 24);
});

it('lets requests take their turn while it looks through a large repository', async () => {
  const real = Date.now;
  let offset = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => real() + offset);
  onTestFinished(() => void vi.restoreAllMocks());
  const data = await scratch();
  const { registry, tidy, close } = await openEmbedded({ data });
  onTestFinished(close);
  const name = 'team/large' as RepositoryName;
  await openRepository(registry, name);
  const links = Array.from({ length: 20_000 }, (_, n) => digestOf('sha256', Buffer.from(`${n}`)));
  for (let start = 0; start < links.length; start += 100) {
    const batch = links.slice(start, start + 100);
    // Young ones, which stay: all there is to do is to read.
    await registry.table.write(
      batch.map((digest) => ({ put: blobKey(name, digest), attributes: { touched: 9, size: 1 } })),
    );
  }
  offset = 2 * HOUR;
  let [turns, isOver] = [0, false];
  const count = () => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await tidy({ ...DEFAULT_LEASE, epochMs: 30 * 24 * HOUR });
  isOver = true;
  expect(turns).toBeGreaterThan(10); // one each few milliseconds of reading
});
