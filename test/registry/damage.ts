import { randomBytes } from 'node:crypto';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { readBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { blobKey, digestKey } from '../../functions/registry/keys.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { type Fixture, openFixture, pushBlob, through } from './fixture.ts';

export const DAY = 24 * 60 * 60_000;
export const THIRD = 'team/third' as RepositoryName;
export const bytes = randomBytes(500);
export const digest = digestOf('sha256', bytes);

export const keyIn = async ({ table }: Pick<Fixture, 'table'>, name: RepositoryName) =>
  (await table.get(blobKey(name, digest)))?.['objectKey'] as ObjectKey | undefined;
export const currentKey = async ({ table }: Pick<Fixture, 'table'>) =>
  (await table.get(digestKey(digest)))?.['objectKey'] as ObjectKey | undefined;

export async function readIn(
  registry: Registry,
  name: RepositoryName,
  wanted: Digest = digest,
): Promise<Uint8Array> {
  const body = await readBlob(registry, name, await requireBlob(registry, name, wanted));
  return new Response(body).bytes();
}

export const cut = ({ root }: Fixture, key: ObjectKey | undefined) => truncate(join(root, key ?? ''), 7);

/** A blob that several repositories have, and whose object is cut. */
export async function openDamaged(
  ...names: RepositoryName[]
): Promise<Fixture & { readonly old: ObjectKey }> {
  const fixture = await openFixture();
  for (const name of names) await pushBlob(fixture.registry, name, bytes);
  const old = (await currentKey(fixture)) as ObjectKey;
  await cut(fixture, old);
  return Object.assign(fixture, { old });
}

/** The registry as a process has it that dies once a write has put a new object in the place of an old one. */
export function dyingOf({ registry, table }: Fixture): Registry {
  let isDead = false;
  const write: Registry['table']['write'] = async (operations) => {
    if (isDead) throw new Error('this process is dead');
    const outcome = await table.write(operations);
    isDead = operations.some((one) => 'update' in one && one.set?.['objectKey'] !== undefined);
    return outcome;
  };
  return { ...registry, table: through(table, { write }) };
}

/** The registry as the job has it that drains the outbox on AWS: it may query, update and delete. */
export function hourlyJobOf({ registry, table }: Fixture): Registry {
  const denied = () => Promise.reject(new Error('AccessDenied'));
  const write: Registry['table']['write'] = (operations) =>
    operations.every((one) => 'update' in one || 'remove' in one) ? table.write(operations) : denied();
  return { ...registry, table: through(table, { get: denied, getMany: denied, write }) };
}
