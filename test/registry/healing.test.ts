import { describe, expect, it } from 'vitest';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { deleteBlob, requireBlobForPush } from '../../functions/registry/blobs.ts';
import { digestKey } from '../../functions/registry/keys.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { keyOf } from '../../functions/storage/table.ts';
import {
  bytes,
  currentKey,
  cut,
  DAY,
  digest,
  dyingOf,
  hourlyJobOf,
  keyIn,
  openDamaged,
  readIn,
  THIRD,
} from './damage.ts';
import { isStored, OTHER, openFixture, pushBlob, REPOSITORY, through } from './fixture.ts';

describe('a push of the right bytes', () => {
  it.each([
    ['into a repository that has the blob', REPOSITORY],
    ['into one that has it not', THIRD],
  ])('%s heals it in all repositories, and the old object goes a day later', async (_, name) => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    const { registry, old } = fixture;
    await pushBlob(registry, name, bytes);
    for (const one of new Set([REPOSITORY, OTHER, name])) {
      expect(Buffer.from(await readIn(registry, one))).toEqual(bytes);
      expect(await keyIn(fixture, one)).toBe(await currentKey(fixture));
    }
    expect((await fixture.table.get(digestKey(digest)))?.['links']).toBe(name === THIRD ? 3 : 2);
    expect(await isStored(registry, old)).toBe(true);
    fixture.clock += DAY;
    await drainOutbox(registry);
    expect(await isStored(registry, old)).toBe(false);
    expect(Buffer.from(await readIn(registry, OTHER))).toEqual(bytes);
  });

  it('keeps the object that is there, where that is sound', async () => {
    const fixture = await openFixture();
    await pushBlob(fixture.registry, REPOSITORY, bytes);
    const before = await currentKey(fixture);
    for (const name of [REPOSITORY, OTHER]) await pushBlob(fixture.registry, name, bytes);
    expect(await currentKey(fixture)).toBe(before);
  });

  it('heals what was healed before', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    for (let times = 0; times < 3; times += 1) {
      await cut(fixture, await currentKey(fixture));
      await pushBlob(fixture.registry, OTHER, bytes);
      expect(Buffer.from(await readIn(fixture.registry, REPOSITORY))).toEqual(bytes);
    }
  });

  it('heals a blob of 250 repositories', async () => {
    const names = Array.from({ length: 250 }, (_, index) => `many/r${index}` as RepositoryName);
    const fixture = await openDamaged(...names);
    await pushBlob(fixture.registry, REPOSITORY, bytes);
    const current = await currentKey(fixture);
    for (const name of names) expect(await keyIn(fixture, name)).toBe(current);
  });
});

describe('a push that dies while it heals', () => {
  it('is done with by the next read of a repository that still has the old object', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER, THIRD);
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    expect(await keyIn(fixture, OTHER)).toBe(fixture.old);
    expect(Buffer.from(await readIn(fixture.registry, OTHER))).toEqual(bytes);
    expect(await keyIn(fixture, THIRD)).toBe(await currentKey(fixture));
  });

  it('is done with by a client that asks there before a push, and is told that the blob exists', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER, THIRD);
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    const blob = await requireBlobForPush(fixture.registry, OTHER, digest);
    expect(blob.objectKey).toBe(await currentKey(fixture));
    expect(await keyIn(fixture, THIRD)).toBe(blob.objectKey);
  });

  it('is done with by the next push there', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER, THIRD);
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    await pushBlob(fixture.registry, OTHER, bytes);
    for (const name of [OTHER, THIRD]) expect(await keyIn(fixture, name)).toBe(await currentKey(fixture));
  });

  it('is done with, at last, before the old object is deleted', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    const hourly = hourlyJobOf(fixture);
    await drainOutbox(hourly);
    expect(await keyIn(fixture, OTHER)).toBe(fixture.old);
    fixture.clock += DAY;
    await drainOutbox(hourly);
    expect(await keyIn(fixture, OTHER)).toBe(await currentKey(fixture));
    expect(await isStored(fixture.registry, fixture.old)).toBe(false);
  });

  it('is followed by one whose object is damaged, too: all links move to the newest', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER, THIRD);
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    await cut(fixture, await currentKey(fixture));
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    fixture.clock += DAY;
    await drainOutbox(fixture.registry);
    for (const name of [REPOSITORY, OTHER, THIRD]) {
      expect(await keyIn(fixture, name)).toBe(await currentKey(fixture));
      expect(Buffer.from(await readIn(fixture.registry, name))).toEqual(bytes);
    }
  });
});

describe('while a push heals', () => {
  it('another one of the same bytes does so first: its object stays', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    const { registry, table } = fixture;
    fixture.justBefore(`B#${digest}`, () => pushBlob({ ...registry, table }, OTHER, bytes));
    await pushBlob(registry, THIRD, bytes);
    const current = await currentKey(fixture);
    for (const name of [REPOSITORY, OTHER, THIRD]) expect(await keyIn(fixture, name)).toBe(current);
    expect((await table.get(digestKey(digest)))?.['links']).toBe(3);
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    expect(Buffer.from(await readIn(registry, THIRD))).toEqual(bytes);
  });

  it('the blob is deleted in the only other repository: the object of the push is a new blob', async () => {
    const fixture = await openDamaged(OTHER);
    const { registry, table } = fixture;
    fixture.justBefore(`B#${digest}`, () => deleteBlob({ ...registry, table }, OTHER, digest));
    await pushBlob(registry, REPOSITORY, bytes);
    expect((await table.get(digestKey(digest)))?.['links']).toBe(1);
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    expect(Buffer.from(await readIn(registry, REPOSITORY))).toEqual(bytes);
  });

  it('a link goes and another comes between its two steps: neither is lost or brought back', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    const { registry, table } = fixture;
    const apart = { ...registry, table };
    const write: Registry['table']['write'] = async (operations) => {
      const isSecond = operations.some((one) => keyOf(one).partition === `R#${OTHER}` && 'update' in one);
      if (isSecond) {
        await deleteBlob(apart, OTHER, digest);
        await pushBlob(apart, THIRD, bytes);
      }
      return table.write(operations);
    };
    await pushBlob({ ...registry, table: through(table, { write }) }, REPOSITORY, bytes);
    expect([await keyIn(fixture, OTHER), await keyIn(fixture, THIRD)]).toEqual([
      undefined,
      await currentKey(fixture),
    ]);
    expect((await table.get(digestKey(digest)))?.['links']).toBe(2);
  });

  it('its own object is damaged, and replaced by another push, between its two steps: all links have the newest', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    const { registry, table } = fixture;
    let isFirst = true;
    const write: Registry['table']['write'] = async (operations) => {
      const isSecond = operations.some((one) => keyOf(one).partition === `R#${OTHER}` && 'update' in one);
      if (isSecond && isFirst) {
        isFirst = false;
        await cut(fixture, await currentKey(fixture));
        await pushBlob(dyingOf(fixture), THIRD, bytes);
      }
      return table.write(operations);
    };
    await pushBlob({ ...registry, table: through(table, { write }) }, REPOSITORY, bytes);
    expect(await keyIn(fixture, OTHER)).toBe(await currentKey(fixture));
    fixture.clock += DAY;
    await drainOutbox(registry);
    for (const name of [REPOSITORY, OTHER, THIRD])
      expect(await keyIn(fixture, name)).toBe(await currentKey(fixture));
  });

  it('the last link goes between its two steps: the new object goes, too', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    const { registry, old } = fixture;
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    const current = (await currentKey(fixture)) as ObjectKey;
    for (const name of [REPOSITORY, OTHER]) await deleteBlob(registry, name, digest);
    fixture.clock += DAY;
    await drainOutbox(registry);
    expect([await isStored(registry, old), await isStored(registry, current)]).toEqual([false, false]);
  });
});
