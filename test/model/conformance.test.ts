import { describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import {
  deleteBlob as deleteRealBlob,
  mountBlob,
  requireBlobForPush,
} from '../../functions/registry/blobs.ts';
import { manifestKey, repositoryKey } from '../../functions/registry/keys.ts';
import { deleteManifest as deleteRealManifest } from '../../functions/registry/manifest-deletion.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { type Key, keyOf, type Table } from '../../functions/storage/table.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import {
  imageOf,
  OTHER,
  openFixture,
  pushBlob,
  push as pushReally,
  REPOSITORY,
} from '../registry/fixture.ts';
import { deleteBlob, deleteManifest } from './deletions.ts';
import { type Actor, runAlone } from './explorer.ts';
import type { Protocol } from './protocol.ts';
import { askAndPush, mountAndPush, push } from './push.ts';
import { modelOf, type Scenario } from './start.ts';
import { sweep } from './sweep.ts';

// The model is worth what it has in common with the code: each of its actors, alone, makes the calls that the code makes.

const DAY = 24 * 60 * 60 * 1000;

/** What the model knows of; the rest (history, catalog, sessions, outbox, …) decides nothing here. */
const KNOWN = ['#', 'B#', 'D#', 'E#', 'M#', 'G#', 'Y#'];

function kindOf({ partition, sort }: Key): string {
  if (partition.startsWith('D#')) return sort === '#' ? 'D#' : 'L#';
  return partition.startsWith('R#') ? `${sort.split('#')[0]}#` : partition;
}

const known = (kinds: readonly string[]) => KNOWN.filter((kind) => kinds.includes(kind));

/** A table that tells which kinds of items were read and written, one line for each call and kind that is read. */
function recording(table: Table, calls: string[]): Table {
  const read = (keys: readonly Key[]) => {
    for (const kind of known(keys.map(kindOf))) calls.push(`read ${kind}`);
  };
  return {
    get: (key) => {
      read([key]);
      return table.get(key);
    },
    getMany: (keys) => {
      read(keys);
      return table.getMany(keys);
    },
    query: (query) => {
      read([{ partition: query.partition, sort: query.prefix ?? '' }]);
      return table.query(query);
    },
    write: (operations) => {
      const kinds = operations.map((operation) => kindOf(keyOf(operation)));
      // When a repository is to be swept next is no part of the protocol.
      if (!kinds.includes('SWEEPS') && known(kinds).length > 0) calls.push(`write ${known(kinds).join(' ')}`);
      return table.write(operations);
    },
  };
}

/** The model's calls in the same words: a read of two kinds is two. */
function callsOf(start: Scenario['start'], actor: (protocol: Protocol) => Actor, repositories = 1): string[] {
  const shape = { repositories, blobs: 1, manifests: [{ blobs: [0], manifests: [] }] };
  const model = modelOf({ shape, start, actors: (protocol) => [actor(protocol)] });
  const [only] = model.actors;
  const calls = only ? runAlone(model.world, only) : [];
  return calls.flatMap((call) => {
    const [verb, ...kinds] = call.split(' ');
    if (known(kinds).length === 0) return [];
    return verb === 'read' ? known(kinds).map((kind) => `read ${kind}`) : [`write ${known(kinds).join(' ')}`];
  });
}

async function open() {
  const fixture = await openFixture();
  const calls: string[] = [];
  const watched: Registry = { ...fixture.registry, table: recording(fixture.registry.table, calls) };
  return { ...fixture, watched, calls };
}

describe('the model', () => {
  it('pushes a manifest as the code does, in the epoch of its blob and in a later one', async () => {
    const { registry, watched, calls, table } = await open();
    const config = await pushBlob(registry);
    // The first one of a repository also enters it into the catalog.
    await pushReally(registry, imageOf(await pushBlob(registry)));
    await pushReally(watched, imageOf(config), 'v1');
    expect(calls).toEqual(callsOf({ links: [[0, 0]] }, (p) => push(p, { manifest: 0 })));
    calls.length = 0;
    await advance(table, 1);
    await requireBlobForPush(watched, REPOSITORY, config.digest);
    await advance(table, 1);
    await pushReally(watched, imageOf(config), 'v1');
    const start = { links: [[0, 0]], manifests: [[0, 0]], epoch: 1 } as const;
    const later = callsOf({ ...start, epoch: 2 }, (p) => push(p, { manifest: 0 }));
    const asked = callsOf(start, (p) => askAndPush(p, { manifest: 0 })).slice(0, 4);
    expect(calls).toEqual([...asked, ...later]);
  });

  it('takes back what a push leaves that is refused as the code does', async () => {
    const { registry, watched, calls } = await open();
    await pushReally(registry, imageOf(await pushBlob(registry)));
    const missing = {
      mediaType: 'application/octet-stream',
      digest: digestOf('sha256', Buffer.of(1)),
      size: 1,
    };
    await expect(pushReally(watched, imageOf(missing))).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
    });
    expect(calls).toEqual(callsOf({}, (p) => push(p, { manifest: 0 })));
  });

  it('mounts a blob as the code does', async () => {
    const { registry, watched, calls } = await open();
    const { digest } = await pushBlob(registry);
    await pushBlob(registry, OTHER);
    const choose = async () => REPOSITORY;
    await mountBlob(watched, { repository: OTHER, digest, from: REPOSITORY, choose });
    const mounts = callsOf({ links: [[0, 0]] }, (p) => mountAndPush(p, { manifest: 0, blob: 0, from: 0 }), 2);
    expect(calls).toEqual(mounts.slice(0, calls.length));
  });

  it('deletes a blob as the code does', async () => {
    const { registry, watched, calls } = await open();
    const { digest } = await pushBlob(registry);
    await deleteRealBlob(watched, REPOSITORY, digest);
    expect(calls).toEqual(callsOf({ links: [[0, 0]] }, (p) => deleteBlob(p, { blob: 0 })));
  });

  it('deletes a manifest as the code does', async () => {
    const { registry, watched, calls } = await open();
    const digest = await pushReally(registry, imageOf(await pushBlob(registry)), 'v1');
    await deleteRealManifest(watched, REPOSITORY, digest);
    const start = { links: [[0, 0]], manifests: [[0, 0]], tags: [[0, 0]] } as const;
    const deletes = callsOf(start, (p) => deleteManifest(p, { manifest: 0 }));
    // First it looks whether the repository rests, of which the model knows nothing: that decides only when a sweep comes.
    expect(calls).toEqual(['read #', ...deletes]);
  });

  it('sweeps what a deleted manifest leaves as the code does', async () => {
    const { registry, watched, calls, table, clock } = await open();
    const digest = await pushReally(registry, imageOf(await pushBlob(registry)), 'v1');
    await advance(table, 1);
    await table.write([{ remove: manifestKey(REPOSITORY, digest) }]);
    const later = { ...watched, now: () => clock + DAY };
    await sweepRepository(later, REPOSITORY, { epochMs: DAY, quarantineMs: 0, until: clock + 2 * DAY });
    const start = { links: [[0, 0]], edges: [[0, 0]], epoch: 1 } as const;
    expect(calls).toEqual(callsOf(start, (p) => sweep(p)));
  });
});

const advance = (table: Table, epochs: number) =>
  table.write([{ update: repositoryKey(REPOSITORY), add: { epoch: epochs } }]);
