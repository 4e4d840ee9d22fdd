import { paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { createAwsRegistry } from '../../functions/aws.ts';
import { ENV } from '../../functions/environment.ts';
import { parseDigest } from '../../functions/oci/digest.ts';
import { parseManifest } from '../../functions/oci/manifest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { requireBlob } from '../../functions/registry/blobs.ts';
import { findManifest, readManifest } from '../../functions/registry/manifests.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { startAwsStores } from '../aws/stores.ts';
import { expectEqual } from '../clients/registry.ts';
import { objectFiles } from '../object-files.ts';
import type { TargetName } from '../targets.ts';
import type { Kept } from './worker.ts';

const DAY = 24 * 60 * 60 * 1000;

interface Rest {
  readonly repositories: readonly string[];
  readonly kept: readonly Kept[];
}

interface Stores {
  readonly registry: Registry;
  /** The object keys that there are, without what comes before the id. */
  objects(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Lets ten days go by for a registry that is stopped, with a sweep each day, and compares its objects with what the
 *  manifests that were kept lead to. Answers what it found. */
export async function checkAtRest(name: TargetName, data: string, rest: Rest): Promise<string> {
  const stores = name === 'embedded' ? await openDirectory(data) : await openAws(data);
  try {
    const before = await stores.objects();
    await letDaysGoBy(stores.registry, rest.repositories);
    const [found, reachable] = [await stores.objects(), await reachableFrom(stores.registry, rest.kept)];
    expectEqual('objects at rest', [...found].sort(), [...reachable].sort());
    return `${before.length} objects before, ${found.length} after`;
  } finally {
    await stores.close();
  }
}

async function letDaysGoBy(registry: Registry, repositories: readonly string[]): Promise<void> {
  for (let day = 1; day <= 10; day += 1) {
    const now = () => Date.now() + day * DAY;
    const later = { ...registry, now };
    const options = { epochMs: DAY / 2, quarantineMs: 0, until: Number.POSITIVE_INFINITY };
    for (const repository of repositories)
      await sweepRepository(later, repository as RepositoryName, options);
    await drainOutbox(later);
  }
}

async function reachableFrom(registry: Registry, kept: readonly Kept[]): Promise<Set<string>> {
  const objects = new Set<string>();
  for (const { repository, digest: text } of kept) {
    const name = repository as RepositoryName;
    const digest = parseDigest(text);
    const manifest = digest && (await findManifest(registry, name, { kind: 'digest', digest }));
    if (!manifest) throw new Error(`${repository}@${text} is gone`);
    const bytes = await new Response(await readManifest(registry, manifest)).bytes();
    for (const reference of parseManifest(bytes, manifest.mediaType).references) {
      const { objectKey } = await requireBlob(registry, name, reference.digest);
      objects.add(objectKey.replace('blobs/', ''));
    }
    if (typeof manifest.content === 'string') objects.add(manifest.content.replace('blobs/', ''));
  }
  return objects;
}

async function openDirectory(data: string): Promise<Stores> {
  const { registry, close } = await openEmbedded({ data });
  return { registry, close, objects: async () => objectFiles(data) };
}

async function openAws(data: string): Promise<Stores> {
  const stores = await startAwsStores(data);
  if (!stores) throw new Error('there is no DynamoDB server for this platform');
  Object.assign(process.env, stores.environment);
  const { registry } = createAwsRegistry(stores.environment);
  const client = new S3Client({ endpoint: stores.s3.url, forcePathStyle: true });
  const close = async () => {
    client.destroy();
    await stores.stop();
  };
  return { registry, close, objects: () => objectsIn(client, stores.environment[ENV.bucket] ?? '') };
}

/** All but the copy of the signing keys: what is left of uploads counts too. */
async function objectsIn(client: S3Client, bucket: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket })) {
    keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
  }
  return keys.filter((key) => !key.startsWith('keys/')).map((key) => key.replace('blobs/', ''));
}
