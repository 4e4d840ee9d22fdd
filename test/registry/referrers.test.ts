import { expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { Manifest } from '../../functions/oci/manifest.ts';
import { listReferrers, type ReferrersPage, referrerOperation } from '../../functions/registry/referrers.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import type { Table } from '../../functions/storage/table.ts';
import { imageOf, openFixture, push, pushBlob, REPOSITORY, through, watchQueries } from './fixture.ts';

const SUBJECT = digestOf('sha256', Buffer.from('subject'));
const TYPES = ['application/x.signature', 'application/x.sbom'] as const;

/** Enters referrers of one subject, every third an SBOM; returns their digests in order. */
async function enter({ table }: Registry, count: number, annotation: string): Promise<Digest[]> {
  const digests = Array.from({ length: count }, (_, n) => digestOf('sha256', Buffer.from(`referrer ${n}`)));
  for (const [n, digest] of digests.entries()) {
    const manifest: Manifest = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      artifactType: n % 3 === 0 ? TYPES[1] : TYPES[0],
      subject: SUBJECT,
      references: [],
      annotations: { about: annotation },
    };
    await table.write(referrerOperation(REPOSITORY, digest, manifest, 500));
  }
  return digests.sort((a, b) => (a < b ? -1 : 1));
}

/** Every page, and how many reads of the table each took. */
async function readAll(registry: Registry, artifactType?: string) {
  const pages: (ReferrersPage & { reads: number })[] = [];
  for (let last: Digest | undefined; ; ) {
    const watched = watchQueries(registry);
    const page = await listReferrers(watched.registry, {
      name: REPOSITORY,
      subject: SUBJECT,
      ...(artifactType && { artifactType }),
      ...(last && { last }),
    });
    pages.push({ ...page, reads: watched.queried.length });
    last = page.next;
    if (last === undefined) return pages;
  }
}

it('five hundred referrers are one page, and two reads', async () => {
  const { registry } = await openFixture();
  const digests = await enter(registry, 500, 'short');
  const [page, ...others] = await readAll(registry);
  expect(page?.descriptors.map(({ digest }) => digest)).toEqual(digests);
  expect([page?.reads, others.length]).toEqual([2, 0]);
});

it('each referrer with large annotations is on one of the pages, which do not grow with them', async () => {
  const { registry } = await openFixture();
  const digests = await enter(registry, 400, 'x'.repeat(10_000));
  const pages = await readAll(registry);
  expect(pages.flatMap(({ descriptors }) => descriptors.map(({ digest }) => digest))).toEqual(digests);
  for (const { descriptors, reads } of pages) {
    expect(JSON.stringify(descriptors).length).toBeLessThan(1024 * 1024 + 20_000);
    expect(reads).toBeLessThanOrEqual(2);
  }
});

it('those of one type are found among all, however many others lie between', async () => {
  const { registry } = await openFixture();
  await enter(registry, 1300, 'short');
  const pages = await readAll(registry, TYPES[1]);
  const descriptors = pages.flatMap((page) => page.descriptors);
  expect(descriptors).toHaveLength(434);
  expect(new Set(descriptors.map((descriptor) => descriptor.artifactType))).toEqual(new Set([TYPES[1]]));
});

it('a referrer that is larger than a page is alone in one: no answer is larger than Lambda takes', async () => {
  const { registry } = await openFixture();
  const config = await pushBlob(registry);
  const subject = { mediaType: 'application/octet-stream', digest: SUBJECT, size: 7 };
  const sizes = [1_040_000, 4_190_000, 4_190_000, 1_040_000];
  for (const [n, size] of sizes.entries()) {
    await push(registry, imageOf(config, { subject, annotations: { n: `${n}`, about: 'x'.repeat(size) } }));
  }
  const pages = await readAll(registry);
  expect(pages.flatMap(({ descriptors }) => descriptors)).toHaveLength(sizes.length);
  for (const { descriptors } of pages) {
    expect(JSON.stringify(descriptors).length).toBeLessThan(4.4 * 1024 * 1024);
  }
});

it('a filter that fits none of very many has pages that end, though empty, and all of them are looked at', async () => {
  const { registry, table } = await openFixture();
  const total = 120_000;
  const digestAt = (n: number) => `sha256:${`${n}`.padStart(64, '0')}` as Digest;
  const attributes = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    size: 500,
    artifactType: TYPES[0],
  };
  /** As a table answers that has them; to write them would take longer. */
  const query: Table['query'] = async ({ partition, prefix = '', after, limit }) => {
    const first = after === undefined ? 0 : Number(after.slice(-64)) + 1;
    const count = Math.max(0, Math.min(limit, total - first));
    return Array.from({ length: count }, (_, n) => ({
      key: { partition, sort: `${prefix}${digestAt(first + n)}` },
      attributes: first + n === total - 1 ? { ...attributes, artifactType: TYPES[1] } : attributes,
    }));
  };
  const pages = await readAll({ ...registry, table: through(table, { query }) }, TYPES[1]);
  expect(pages.flatMap(({ descriptors }) => descriptors.map(({ digest }) => digest))).toEqual([
    digestAt(total - 1),
  ]);
  for (const { reads } of pages) expect(reads).toBeLessThan(100);
  expect(pages).toHaveLength(3);
});
