import { beforeEach, describe, expect, it } from 'vitest';
import { OpenUploads } from '../../functions/registry/open-uploads.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { cancelUpload } from '../../functions/registry/upload-ending.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import type { Table } from '../../functions/storage/table.ts';
import { type Fixture, OTHER, openFixture, REPOSITORY, refusal, through } from './fixture.ts';

// How many uploads a caller has open is counted now and then: the more there are, the dearer is a count.

const MOST = 300;

let fixture: Fixture;
/** Items that were read to count. */
let read: number;
let registry: Registry;

beforeEach(async () => {
  fixture = await openFixture();
  read = 0;
  const { table } = fixture.registry;
  const query: Table['query'] = async (asked) => {
    const items = await table.query(asked);
    read += items.length;
    return items;
  };
  const counted = { table: through(table, { query }), openUploads: new OpenUploads() };
  registry = { ...fixture.registry, ...counted, actor: 'user:alice', maxUploads: MOST };
});

const open = (name = REPOSITORY) => startUpload(registry, name);

async function openMany(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await open(n % 2 ? OTHER : REPOSITORY);
}

describe('a caller who has many uploads open', () => {
  it('opens another without all of them being read', async () => {
    await openMany(150);
    read = 0;
    await openMany(100);
    expect(read).toBeLessThanOrEqual(2 * 250);
  });

  it('has not one more than anybody may, in one process', async () => {
    await openMany(MOST);
    for (let n = 0; n < 50; n += 1) expect(await refusal(open())).toBe('TOOMANYREQUESTS');
    await startUpload({ ...registry, actor: 'user:bob' }, OTHER);
  });

  it('is refused without all of them being read, and let in a moment after one has ended', async () => {
    const first = await open();
    await openMany(MOST - 1);
    read = 0;
    for (let n = 0; n < 50; n += 1) expect(await refusal(open())).toBe('TOOMANYREQUESTS');
    expect(read).toBeLessThanOrEqual(MOST);
    await cancelUpload(registry, first);
    fixture.clock += 5000;
    await open();
  });

  it('is not refused for uploads that have ended', async () => {
    for (let n = 0; n < MOST + 20; n += 1) await cancelUpload(registry, await open());
    await open();
  });

  it('has those counted anew after a minute, which others may have opened elsewhere', async () => {
    await open();
    const elsewhere = { ...registry, openUploads: new OpenUploads() };
    for (let n = 1; n < MOST; n += 1) await startUpload(elsewhere, OTHER);
    fixture.clock += 60_000;
    expect(await refusal(open())).toBe('TOOMANYREQUESTS');
  });
});
