import { createHash, randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { createFirstAdmin } from '../../functions/identity/first-admin.ts';
import { createUser } from '../../functions/identity/users.ts';
import type { Digest } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import {
  auditKey,
  directoryKey,
  manifestKey,
  memberKey,
  referrerKey,
  refreshTokenKey,
  subjectEntryKey,
  subjectKey,
  tagIndexKey,
  tagKey,
} from '../../functions/registry/keys.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { setVisibility } from '../../functions/registry/repositories.ts';
import { renameOperations } from '../../functions/registry/tag-names.ts';
import {
  type Attributes,
  type Key,
  MAX_OPERATIONS,
  type Operation,
  type Table,
} from '../../functions/storage/table.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { fillRepository } from '../sweep/repository.ts';

/** How much the registry holds whose event loop is watched. */
export interface StallScale {
  /** Of one repository, each with a tag. */
  readonly images: number;
  readonly blobsPerImage: number;
  /** Of another repository. */
  readonly tags: number;
  /** With a manifest of 16 KB each, the largest that lies in its item. */
  readonly heavyTags: number;
  /** Of one manifest that is deleted. */
  readonly tagsOfOne: number;
  readonly referrers: number;
  readonly repositories: number;
  readonly auditRecords: number;
  readonly users: number;
  /** Rows that the first tidying removes. */
  readonly expired: number;
  /** Files in the store that no item knows. */
  readonly objects: number;
  /** Of each request, the least counts: the machine may do something else meanwhile. */
  readonly tries: number;
}

export const FULL_STALLS: StallScale = {
  images: 12_000,
  blobsPerImage: 17,
  tags: 100_000,
  heavyTags: 2000,
  tagsOfOne: 2000,
  referrers: 20_000,
  repositories: 20_000,
  auditRecords: 100_000,
  users: 10_000,
  expired: 1_000_000,
  objects: 40_000,
  tries: 3,
};

export const QUICK_STALLS: StallScale = {
  images: 500,
  blobsPerImage: 10,
  tags: 3000,
  heavyTags: 200,
  tagsOfOne: 100,
  referrers: 1000,
  repositories: 1000,
  auditRecords: 3000,
  users: 300,
  expired: 20_000,
  objects: 1000,
  tries: 1,
};

export const BIG = 'stalls/big' as RepositoryName;
export const TAGGED = 'stalls/tagged' as RepositoryName;
export const HEAVY = 'stalls/heavy' as RepositoryName;
export const DOOMED = 'stalls/doomed' as RepositoryName;
export const RETAINED = 'stalls/retained' as RepositoryName;
/** The one repository of `STRANGER`, the last of the private ones. */
export const LAST = 'zz/last' as RepositoryName;
/** Sees what is public, and `LAST`. */
export const STRANGER = 'stranger';
export const STRANGERS_PASSWORD = 'the password of a stranger';
export const GROUP = 'everybody';

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

export const digestFor = (text: string) =>
  `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;
export const SUBJECT = digestFor('subject');
export const MANY_TAGS = digestFor('many tags');

/** Fills a folder as such a registry leaves it, and answers the password of its admin. */
export async function fillFolder(data: string, scale: StallScale): Promise<string> {
  const { registry, close } = await openEmbedded({ data });
  try {
    const password = await createFirstAdmin(registry, 'admin');
    if (password === undefined) throw new Error(`${data} is not empty`);
    for (const name of [BIG, TAGGED, HEAVY, DOOMED, RETAINED]) await setVisibility(registry, name, true);
    await setVisibility(registry, LAST, false);
    const grants = [{ pattern: LAST, actions: ['pull'] }] as const;
    const stranger = { name: STRANGER, password: STRANGERS_PASSWORD, description: '', createdBy: 'setup' };
    await createUser(registry, { ...stranger, grants });
    await putPolicy(registry, {
      name: 'retained',
      repositories: [BIG, RETAINED],
      retention: { tags: [{ match: ['v*'], keepLast: 10 }], untaggedAfterDays: 1 },
    });
    await putPolicy(registry, { name: 'quota', repositories: [BIG], quota: { each: { bytes: 1e15 } } });
    await write(registry, contents(scale));
    await write(registry, directories(scale));
    await fillRepository(hasty(registry.table), BIG, { ...scale, deleted: 0 });
    await fillRepository(registry.table, RETAINED, { images: 100, blobsPerImage: 2, deleted: 0 });
    await registry.table.write([{ remove: { partition: 'none', sort: '#' } }]); // all of it is written
    return password;
  } finally {
    await close();
    for (let number = 0; number < scale.objects; number += 1)
      closeSync(openSync(join(data, 'blobs', randomUUID()), 'w'));
  }
}

const put = (key: Key, attributes: Attributes = {}): Operation => ({ put: key, attributes });

/** Pushed without a byte of any layer. */
function* contents(scale: StallScale): Generator<Operation> {
  yield* tags(TAGGED, scale.tags, 'tagged', 500);
  yield* tags(HEAVY, scale.heavyTags, 'heavy', 16_000);
  yield* tags(DOOMED, scale.tagsOfOne, 'many tags', 500);
  for (let number = 0; number < scale.referrers; number += 1) {
    const annotations = JSON.stringify({ text: 'x'.repeat(number % 100 === 0 ? 15_000 : 300) });
    const digest = digestFor(`referrer ${number}`);
    const attributes = { mediaType: MANIFEST, size: 500, artifactType: 'application/spdx+json', annotations };
    yield put(referrerKey(BIG, SUBJECT, digest), attributes);
  }
}

/** All on one manifest. */
function* tags(name: RepositoryName, count: number, content: string, bytes: number): Generator<Operation> {
  const digest = digestFor(content);
  const item = { mediaType: MANIFEST, size: bytes, bytes: Buffer.alloc(bytes, 'x') };
  yield put(manifestKey(name, digest), { ...item, pushedAt: Date.now(), touched: 0 });
  for (let number = 0; number < count; number += 1) {
    const tag = `v${number}` as Tag;
    yield put(tagKey(name, tag), { ...item, digest, taggedAt: Date.now() });
    yield put(tagIndexKey(name, digest, tag));
  }
  yield* renameOperations(name, { added: Array.from({ length: count }, (_, number) => `v${number}` as Tag) });
}

function* directories(scale: StallScale): Generator<Operation> {
  for (let number = 0; number < scale.repositories; number += 1)
    yield put(directoryKey(`many/n${number}/app` as RepositoryName), { listed: true });
  const expiresAt = Math.floor(Date.now() / 1000) - 1;
  for (let number = 0; number < scale.expired; number += 1)
    yield put(refreshTokenKey(`expired-${number}`), { expiresAt });
  for (let number = 0; number < scale.users; number += 1) {
    const name = `user${number}`;
    const attributes = { createdAt: Date.now(), createdBy: 'setup', version: 1 };
    yield put(subjectKey(`user:${name}`), { ...attributes, groups: [GROUP] });
    yield put(subjectEntryKey(`user:${name}`));
    yield put(memberKey(`group:${GROUP}`, name));
  }
  yield put(subjectKey(`group:${GROUP}`), { createdAt: Date.now(), createdBy: 'setup', version: 1 });
  yield put(subjectEntryKey(`group:${GROUP}`));
  const now = Date.now();
  for (let number = 0; number < scale.auditRecords; number += 1)
    yield record(now - Math.floor((number / scale.auditRecords) * 7 * DAY_MS));
}

const DAY_MS = 24 * 60 * 60_000;

function record(time: number): Operation {
  return put(auditKey(time, randomUUID()), {
    time,
    principal: 'user:busy',
    operation: 'token.issue',
    outcome: 'allowed',
    status: 200,
    target: 'repository:many/n1/app:pull',
    address: '127.0.0.1',
    userAgent: 'docker/29.1.2 go/go1.25 kernel/6.12 os/linux arch/amd64',
    expiresAt: Math.floor(time / 1000) + 365 * 86_400,
  });
}

/** Does not wait for its writes: what is written next is written with them, or after them. */
function hasty(table: Table): Table {
  let writes = 0;
  return {
    get: (key) => table.get(key),
    getMany: (keys) => table.getMany(keys),
    query: (query) => table.query(query),
    async write(operations) {
      writes += 1;
      if (writes % 5 === 0) await setImmediate(); // else none of them would be written before the last
      void table.write(operations);
      return { committed: true };
    },
  };
}

/** Many transactions at a time: the table writes those that wait together. */
const AT_ONCE = 100;

async function write({ table }: Registry, operations: Iterable<Operation>): Promise<void> {
  let [batch, waiting]: [Operation[], Promise<unknown>[]] = [[], []];
  for (const operation of operations) {
    batch.push(operation);
    if (batch.length < MAX_OPERATIONS) continue;
    waiting.push(table.write(batch));
    batch = [];
    if (waiting.length < AT_ONCE) continue;
    await Promise.all(waiting);
    waiting = [];
  }
  if (batch.length > 0) waiting.push(table.write(batch));
  await Promise.all(waiting);
}
