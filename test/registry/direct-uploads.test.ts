import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { requireBlob, requireBlobForPush } from '../../functions/registry/blobs.ts';
import { commitDirectUpload, requireArrivedBlob } from '../../functions/registry/direct-uploads.ts';
import { digestKey } from '../../functions/registry/keys.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { cancelUpload } from '../../functions/registry/upload-ending.ts';
import type { UploadSession } from '../../functions/registry/upload-sessions.ts';
import { appendChunk, startUpload } from '../../functions/registry/uploads.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import {
  bodyOf,
  type Fixture,
  imageOf,
  isStored,
  OTHER,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  refusal,
} from './fixture.ts';

// The timelines of uploads past the registry in docs/concurrency.md, each driven to the step where it could go wrong.
// test/aws/direct-uploads.test.ts does what it can of it on S3.

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

interface Direct extends Fixture {
  /** What the front door has S3 do with a PUT: takes the bytes once, under a key where nothing is. */
  send(session: UploadSession, bytes: Uint8Array): Promise<boolean>;
  /** What S3 tells of it. */
  event(session: UploadSession): Promise<boolean>;
  /** Keys that the store was asked for, and how many at once at most. */
  readonly asked: { keys: string[]; atOnce: number };
  /** Runs `act` once, just before the caller's uploads are looked through. */
  justBeforeLook(act: () => Promise<unknown>): void;
}

/** A fixture whose store also takes bytes from clients. */
async function openDirect(): Promise<Direct> {
  const fixture = await openFixture();
  const { blobs, table } = fixture.registry;
  const sent = new Map<ObjectKey, { digest: Digest; size: number }>();
  const asked = { keys: [] as string[], atOnce: 0 };
  const looks: (() => Promise<unknown>)[] = [];
  let asking = 0;
  blobs.received = async (objectKey) => {
    asked.keys.push(objectKey);
    asking += 1;
    asked.atOnce = Math.max(asked.atOnce, asking);
    const isThere = await isStored(fixture.registry, objectKey);
    asking -= 1;
    const found = sent.get(objectKey);
    return isThere && found ? { objectKey, ...found } : undefined;
  };
  const { query } = table;
  table.query = async (range) => {
    if (range.prefix?.startsWith('U#')) await looks.pop()?.();
    return query(range);
  };
  return Object.assign(fixture, {
    registry: { ...fixture.registry, direct: true },
    asked,
    justBeforeLook: (act: () => Promise<unknown>) => void looks.push(act),
    async send({ upload: { objectKey } }: UploadSession, bytes: Uint8Array) {
      if (await isStored(fixture.registry, objectKey)) return false;
      await blobs.put(objectKey, bytes);
      sent.set(objectKey, { digest: digestOf('sha256', bytes), size: bytes.length });
      return true;
    },
    event: ({ id }: UploadSession) => commitDirectUpload(fixture.registry, id),
  });
}

/** An upload whose bytes are in the store, of which nobody has told yet. */
async function sendOne(fixture: Direct, repository = REPOSITORY, bytes: Uint8Array = randomBytes(100)) {
  const session = await startUpload(fixture.registry, repository);
  await fixture.send(session, bytes);
  const digest = digestOf('sha256', bytes);
  return { session, digest, mediaType: 'application/octet-stream', size: bytes.length, bytes };
}

const find = (registry: Registry, digest: Digest, repository: RepositoryName = REPOSITORY) =>
  refusal(requireArrivedBlob(registry, repository, digest, requireBlobForPush));

const isReadable = ({ registry }: Fixture, { upload }: UploadSession) => isStored(registry, upload.objectKey);

describe('a blob that was sent past the registry', () => {
  it('is found by a look, and by a push of its manifest, before the store tells of it', async () => {
    const fixture = await openDirect();
    const { registry } = fixture;
    const [config, layer] = [await sendOne(fixture), await sendOne(fixture)];
    expect(await find(registry, config.digest)).toBeUndefined();
    await push(registry, imageOf(config, { layers: [layer] }), 'v1');
    expect(await requireBlob(registry, REPOSITORY, layer.digest)).toMatchObject({ size: layer.size });
    expect([await fixture.event(config.session), await fixture.event(layer.session)]).toEqual([false, false]);
  });

  it('is linked once where the store tells of it twice at once', async () => {
    const fixture = await openDirect();
    const { session, digest } = await sendOne(fixture);
    fixture.justBefore('B#', () => fixture.event(session));
    expect(await fixture.event(session)).toBe(false); // the one in between did it
    expect(await fixture.table.get(digestKey(digest))).toMatchObject({ links: 1 });
  });

  it('is linked once where the store tells of it while a manifest that uses it is pushed', async () => {
    const fixture = await openDirect();
    const config = await sendOne(fixture);
    fixture.justBefore('B#', () => fixture.event(config.session));
    await push(fixture.registry, imageOf(config), 'v1');
    expect(await fixture.table.get(digestKey(config.digest))).toMatchObject({ links: 1 });
  });

  it('is found where the store has told of it between the look for the blob and that for its upload', async () => {
    const fixture = await openDirect();
    const [one, two] = [await sendOne(fixture), await sendOne(fixture)];
    fixture.justBeforeLook(() => fixture.event(one.session));
    expect(await find(fixture.registry, one.digest)).toBeUndefined();
    fixture.justBeforeLook(() => fixture.event(two.session));
    await push(fixture.registry, imageOf(two), 'v1');
  });

  it('from two repositories at once is one object with two links; the other object goes a day later', async () => {
    const fixture = await openDirect();
    const bytes = randomBytes(100);
    const [mine, theirs] = [await sendOne(fixture, REPOSITORY, bytes), await sendOne(fixture, OTHER, bytes)];
    fixture.justBefore('B#', () => fixture.event(theirs.session));
    expect(await fixture.event(mine.session)).toBe(true);
    const { registry, table } = fixture;
    const links = [
      await requireBlob(registry, REPOSITORY, mine.digest),
      await requireBlob(registry, OTHER, mine.digest),
    ];
    expect(links.map(({ objectKey }) => objectKey)).toEqual(Array(2).fill(theirs.session.upload.objectKey));
    expect(await table.get(digestKey(mine.digest))).toMatchObject({ links: 2 });
    // As long as a token lets bytes be written there, it is not deleted, so that nothing is written after the delete.
    fixture.clock += DAY - 1;
    expect([await drainOutbox(registry), await fixture.send(mine.session, bytes)]).toEqual([0, false]);
    fixture.clock += 1;
    expect(await drainOutbox(registry)).toBe(1);
    expect([await isReadable(fixture, mine.session), await isReadable(fixture, theirs.session)]).toEqual([
      false,
      true,
    ]);
  });

  it('after its upload was cancelled is no blob, and goes a day later', async () => {
    const fixture = await openDirect();
    const bytes = randomBytes(100);
    const digest = digestOf('sha256', bytes);
    const session = await startUpload(fixture.registry, REPOSITORY);
    await cancelUpload(fixture.registry, session);
    fixture.clock += HOUR - 1;
    expect(await drainOutbox(fixture.registry)).toBe(0);
    expect(await fixture.send(session, bytes)).toBe(true); // its token is still good
    expect([await fixture.event(session), await find(fixture.registry, digest)]).toEqual([
      false,
      'BLOB_UNKNOWN',
    ]);
    fixture.clock += DAY;
    expect(await drainOutbox(fixture.registry)).toBe(1);
    expect(await isReadable(fixture, session)).toBe(false);
  });

  it('after its upload was cancelled a day before its time is up goes like any other', async () => {
    const fixture = await openDirect();
    const session = await startUpload(fixture.registry, REPOSITORY);
    fixture.clock += 6 * DAY;
    await cancelUpload(fixture.registry, session);
    await fixture.send(session, randomBytes(100));
    fixture.clock += DAY + 1;
    expect(await drainOutbox(fixture.registry)).toBe(1);
  });

  it('stays where its client cancels the upload after that, before the store has told of it', async () => {
    const fixture = await openDirect();
    const { session, digest } = await sendOne(fixture);
    expect(await refusal(cancelUpload(fixture.registry, session))).toBe('BLOB_UPLOAD_UNKNOWN');
    expect(await refusal(requireBlob(fixture.registry, REPOSITORY, digest))).toBeUndefined();
    expect(await isReadable(fixture, session)).toBe(true);
  });

  it('is linked once where its upload is cancelled just before, and not cancelled where it is just linked', async () => {
    const fixture = await openDirect();
    const [one, two] = [await sendOne(fixture), await sendOne(fixture)];
    fixture.justBefore('B#', () => refusal(cancelUpload(fixture.registry, one.session)));
    expect(await fixture.event(one.session)).toBe(false);
    expect(await refusal(requireBlob(fixture.registry, REPOSITORY, one.digest))).toBeUndefined();
    expect(await fixture.table.get(digestKey(one.digest))).toMatchObject({ links: 1 });
    fixture.justBefore('U#', () => fixture.event(two.session));
    expect(await refusal(cancelUpload(fixture.registry, two.session))).toBe('BLOB_UPLOAD_UNKNOWN');
    expect(await isReadable(fixture, two.session)).toBe(true);
  });

  it("is nobody's where the store tells of it after a week, and goes", async () => {
    const fixture = await openDirect();
    const { session, digest } = await sendOne(fixture);
    fixture.clock += 7 * DAY;
    expect(await fixture.event(session)).toBe(false);
    expect(await refusal(requireBlob(fixture.registry, REPOSITORY, digest))).toBe('BLOB_UNKNOWN');
    fixture.clock += DAY;
    expect(await drainOutbox(fixture.registry)).toBe(1);
    expect(await isReadable(fixture, session)).toBe(false);
  });

  it('is not linked once the outbox has begun to delete it', async () => {
    const fixture = await openDirect();
    const { session, digest } = await sendOne(fixture);
    fixture.justBefore('B#', async () => {
      fixture.clock += 8 * DAY;
      await drainOutbox(fixture.registry);
      fixture.clock -= 8 * DAY;
    });
    await refusal(fixture.event(session));
    expect(await refusal(requireBlob(fixture.registry, REPOSITORY, digest))).toBe('BLOB_UNKNOWN');
  });

  it('is not taken for a whole where chunks came through the registry', async () => {
    const fixture = await openDirect();
    const { registry } = fixture;
    const session = await startUpload(registry, REPOSITORY);
    await appendChunk(registry, session, bodyOf(randomBytes(10)), undefined);
    expect(await fixture.event(session)).toBe(false);
    expect(await find(registry, digestOf('sha256', Buffer.of()))).toBe('BLOB_UNKNOWN');
    expect(fixture.asked.keys).toEqual([]);
  });
});

describe('the look for it', () => {
  it('finds what the caller has sent to this repository, and nothing of others', async () => {
    const fixture = await openDirect();
    const as = (actor: string) => Object.assign(fixture, { registry: { ...fixture.registry, actor } });
    const mine = await sendOne(as('user:alice'));
    const elsewhere = await sendOne(as('user:alice'), OTHER);
    const theirs = await sendOne(as('user:bob'));
    const { registry } = as('user:alice');
    expect(await find(registry, theirs.digest)).toBe('BLOB_UNKNOWN');
    expect(await find(registry, elsewhere.digest)).toBe('BLOB_UNKNOWN');
    expect(fixture.asked.keys).not.toContain(theirs.session.upload.objectKey);
    expect(await find(registry, mine.digest)).toBeUndefined();
  });

  it('asks for a hundred objects at most, the newest, ten at once, none older than an hour and a day', async () => {
    const fixture = await openDirect();
    const { registry, asked } = fixture;
    const oldest = await sendOne(fixture);
    fixture.clock += 25 * HOUR;
    expect(await find(registry, oldest.digest)).toBe('BLOB_UNKNOWN');
    expect(asked.keys).toEqual([]);
    const old = await sendOne(fixture);
    for (let n = 0; n < 100; n += 1) {
      fixture.clock += 1;
      await startUpload(registry, REPOSITORY);
    }
    expect(await find(registry, old.digest)).toBe('BLOB_UNKNOWN');
    expect([asked.keys.length, asked.atOnce]).toEqual([100, 10]);
    expect(await fixture.event(old.session)).toBe(true); // the store's word is all it takes
  });

  it('costs a hit nothing, a plain miss one query and one read, and a registry without it nothing', async () => {
    const fixture = await openDirect();
    const { registry } = fixture;
    const { digest } = await pushBlob(registry);
    const made: string[] = [];
    const { table: real } = registry;
    const noted = <In, Out>(name: string, call: (given: In) => Out) => {
      return (given: In) => {
        made.push(name);
        return call(given);
      };
    };
    const table: Registry['table'] = {
      get: noted('get', real.get),
      getMany: noted('getMany', real.getMany),
      query: noted('query', real.query),
      write: noted('write', real.write),
    };
    const counted = { ...registry, table };
    const callsOf = async (one: Registry, wanted: Digest) => {
      made.length = 0;
      await refusal(requireArrivedBlob(one, REPOSITORY, wanted, requireBlob));
      return [...made];
    };
    const missing = digestOf('sha256', randomBytes(9));
    expect(await callsOf(counted, digest)).toEqual(['get']);
    expect(await callsOf(counted, missing)).toEqual(['get', 'query', 'get']);
    expect(await callsOf({ ...counted, direct: false }, missing)).toEqual(['get']);
  });
});

describe('where a quota has no room', () => {
  it('the event is no failure, and the client is told by its next request, or let through once there is', async () => {
    const fixture = await openDirect();
    const { registry } = fixture;
    const policy = (bytes: number) => ({ name: 'q', repositories: ['*'], quota: { each: { bytes } } });
    await putPolicy(registry, policy(150));
    const [config, layer] = [await sendOne(fixture), await sendOne(fixture)];
    expect([await fixture.event(config.session), await fixture.event(layer.session)]).toEqual([true, false]);
    const image = imageOf(config, { layers: [layer] });
    expect(await refusal(push(registry, image, 'v1'))).toBe('DENIED');
    await putPolicy(registry, policy(5000));
    await push(registry, image, 'v1');
    expect(await requireBlob(registry, REPOSITORY, layer.digest)).toMatchObject({ size: layer.size });
  });
});
