import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createAwsRegistry } from '../../../functions/aws.ts';
import type { RepositoryName } from '../../../functions/oci/reference.ts';
import { drainOutbox } from '../../../functions/registry/outbox.ts';
import { sweepRepository } from '../../../functions/upkeep/sweep.ts';
import { type Blob, digestOfBytes, manifestOf, randomBlob } from '../../content.ts';
import { pushBlobs, pushManifests } from '../requests.ts';
import type { CloudScale } from '../scale.ts';
import { BUCKET, CREDENTIALS, REGION } from '../settings.ts';
import { NO_CA_BUNDLE, type Site } from '../sites.ts';
import { type Row, timed } from './row.ts';

const execute = promisify(execFile);

const DAY_MS = 24 * 60 * 60 * 1000;
const BLOB_BYTES = 1000;
/** How many objects are written at once while a registry's garbage is made. */
const WRITERS = 24;

/** Blobs that no manifest uses, in a repository that has an image too. What is timed is the work; both let a time go by
 *  before it, on purpose. */
export function garbage({ garbage: count, otherGarbage }: CloudScale): Row {
  const config = randomBlob(BLOB_BYTES);
  const manifest = manifestOf(config, [], 'kept');
  const blobs = Array.from({ length: count }, () => randomBlob(BLOB_BYTES));
  return {
    title: `garbage of ${count} blobs: found and deleted`,
    goal: 10,
    rounds: 1,
    prepare: async (site) => {
      const repository = repositoryOf(site);
      if (site.family === 'cncf') {
        return leaveInRegistry(site, repository, { config, manifest, blobs: blobs.slice(0, otherGarbage) });
      }
      if (site.id !== 'node') return;
      await pushBlobs(site, repository, [config, ...blobs]);
      await pushManifests(site, [{ repository, tag: 'kept', manifest }]);
    },
    measure: async (site) => {
      if (site.id === 'lambda')
        return { samples: [], note: 'Stowage sweeps with the same code on either host' };
      if (site.family === 'stowage') return { samples: [await timed(() => sweep(site))], operations: 1 };
      const sample = await timed(() => collect(site));
      const share = otherGarbage / count;
      const note =
        `the CNCF registry was measured with ${otherGarbage}, and what it took multiplied by ${1 / share}: it works blob by ` +
        'blob. It is stopped for it, as it has to be; Stowage sweeps while clients push and pull';
      return { samples: [sample / share], operations: share, note };
    },
  };
}

const repositoryOf = ({ id }: Site) => `cloud/garbage-${id}`;
const rootOf = ({ id }: Site) => `/garbage-${id}`;

/** What the stack does in three nights: two epochs pass, the links go; a day later the objects. */
async function sweep(site: Site): Promise<void> {
  const { environment } = site.stores;
  Object.assign(process.env, environment); // the SDK's credentials
  const { registry } = createAwsRegistry(environment);
  for (let day = 1; day <= 4; day += 1) {
    const now = () => Date.now() + day * DAY_MS;
    const options = { epochMs: DAY_MS / 2, quarantineMs: DAY_MS, until: Number.POSITIVE_INFINITY };
    await sweepRepository({ ...registry, now }, repositoryOf(site) as RepositoryName, options);
    await drainOutbox({ ...registry, now });
  }
}

async function collect({ collector, ...site }: Site): Promise<void> {
  if (!collector) throw new Error(`${site.name} has no garbage collector`);
  const config = collector.config(rootOf(site));
  const env = { ...process.env, ...NO_CA_BUNDLE };
  await execute(collector.program, ['garbage-collect', config], { env, maxBuffer: 1024 ** 3 });
}

interface Content {
  readonly config: Blob;
  readonly manifest: Buffer;
  readonly blobs: readonly Blob[];
}

/** Writes what uploads leave in the CNCF registry's storage, two objects a blob: through the registry it would take 25 calls
 *  each. In a root of its own: its collector reads all that there is. */
async function leaveInRegistry(site: Site, repository: string, content: Content): Promise<void> {
  const s3 = new S3Client({
    endpoint: site.stores.s3Url,
    region: REGION,
    credentials: CREDENTIALS,
    forcePathStyle: true,
  });
  const root = `${rootOf(site).slice(1)}/docker/registry/v2`;
  const objects = objectsOf(repository, content);
  const writers = Array.from({ length: WRITERS }, async () => {
    for (const [key, Body] of objects)
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${root}/${key}`, Body }));
  });
  await Promise.all(writers);
  s3.destroy();
}

function* objectsOf(
  repository: string,
  { config, manifest, blobs }: Content,
): Generator<readonly [string, Buffer | string]> {
  const dataOf = (digest: string) => `blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;
  for (const { digest, block } of [config, ...blobs]) {
    yield [dataOf(digest), block];
    yield [`repositories/${repository}/_layers/sha256/${digest.slice(7)}/link`, digest];
  }
  const kept = digestOfBytes(manifest);
  yield [dataOf(kept), manifest];
  const links = ['revisions', 'tags/kept/index'].map((place) => `${place}/sha256/${kept.slice(7)}/link`);
  for (const link of [...links, 'tags/kept/current/link'])
    yield [`repositories/${repository}/_manifests/${link}`, kept];
}
