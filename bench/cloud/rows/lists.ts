import { manifestOf, randomBlob } from '../../content.ts';
import { withConnection } from '../../http/connection.ts';
import { pushBlobByPut, pushManifest } from '../../registry-calls.ts';
import { ask, fill, pushBlobs, pushManifests, readList } from '../requests.ts';
import type { CloudScale } from '../scale.ts';
import type { Site } from '../sites.ts';
import { oncePerFamily, type Row, timed, timedEach } from './row.ts';

/** Lists that bring the code of a process up to speed; no registry keeps one in memory. */
const WARM_UP = 20;

/** So many tags are on one manifest. */
const TAGS_A_MANIFEST = 200;
const LAYERS = 10;

export function tagList({ tags: count, rounds }: CloudScale): Row {
  const repository = 'cloud/many-tags';
  const config = randomBlob(1000);
  const layers = Array.from({ length: LAYERS }, () => randomBlob(1000));
  const tags = Array.from({ length: count }, (_, n) => `build-${n}`);
  return {
    title: `list of ${count} tags`,
    goal: 10,
    rounds: rounds * 3,
    prepare: oncePerFamily(async (site) => {
      await pushBlobs(site, repository, [config, ...layers]);
      await pushManifests(
        site,
        tags.map((tag, n) => {
          const manifest = manifestOf(config, layers, `${Math.floor(n / TAGS_A_MANIFEST)}`);
          return { repository, tag, manifest };
        }),
      );
    }),
    warmUp: (site) => repeat(site, `/v2/${repository}/tags/list`),
    measure: (site) => measureList(site, `/v2/${repository}/tags/list`, { property: 'tags', least: count }),
  };
}

/** The most that the CNCF registry of today answers at once. */
const CATALOG_PAGE = 1000;
/** docker-registry 2.8, which takes minutes for a catalog: once is enough. */
const SLOW_TO_WALK = 'v2';

export function catalog({ repositories: count, rounds }: CloudScale): Row {
  const names = Array.from({ length: count }, (_, n) => `cloud/many/repository-${n}`);
  const config = randomBlob(1000);
  const manifest = manifestOf(config, [], 'catalog');
  return {
    title: `catalog of ${count} repositories, ${CATALOG_PAGE} a page`,
    goal: 10,
    rounds,
    prepare: oncePerFamily(async (site) => {
      const { target } = site;
      const first = 'cloud/first';
      await pushBlobs(site, first, [config]);
      await fill(site, names, async (connection, repository) => {
        const session = { target, connection, repository };
        const path = `/v2/${repository}/blobs/uploads/?mount=${config.digest}&from=${first}`;
        const { status } = await ask(session, { method: 'POST', path }, 201, 202);
        if (status === 202) await pushBlobByPut(session, config);
        await pushManifest(session, 'latest', manifest);
      });
    }),
    warmUp: (site) => repeat(site, '/v2/_catalog?n=10'),
    measure: async (site, round) => {
      if (round > 0 && site.id === SLOW_TO_WALK)
        return { samples: [], note: 'docker-registry 2.8 was measured once' };
      return measureList(site, `/v2/_catalog?n=${CATALOG_PAGE}`, { property: 'repositories', least: count });
    },
  };
}

const repeat = ({ target }: Site, path: string) =>
  withConnection(target, (connection) =>
    timedEach(Array.from({ length: WARM_UP }), () =>
      ask({ target, connection }, { method: 'GET', path }, 200),
    ),
  );

interface Expected {
  readonly property: string;
  readonly least: number;
}

function measureList({ target }: Site, path: string, { property, least }: Expected) {
  return withConnection(target, async (connection) => {
    let entries: readonly string[] = [];
    const read = (body: string) => (JSON.parse(body) as Record<string, string[]>)[property] ?? [];
    const sample = await timed(async () => {
      entries = await readList({ target, connection }, path, read);
    });
    if (new Set(entries).size < least) throw new Error(`${path} listed ${entries.length} of ${least}`);
    return { samples: [sample] };
  });
}
