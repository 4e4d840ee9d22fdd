import { type Blob, manifestOf, randomBlob } from '../../content.ts';
import { type Connection, withConnection, withConnections } from '../../http/connection.ts';
import { fallbackTag, pushSubject, subjectOf } from '../referrers.ts';
import { ask, getManifest, pushBlobs, pushManifests } from '../requests.ts';
import type { CloudScale } from '../scale.ts';
import type { Site } from '../sites.ts';
import { oncePerFamily, type Row, timed, timedEach } from './row.ts';

// Each tag and each blob is asked for once in the life of a registry's process: what is measured is what an answer takes,
// not what was kept in memory since the last one.

const LAYERS = 10;
/** So large that it is a redirect with every registry. */
const REDIRECTED_BYTES = 100_000;
const HEADS = 40;
/** Docker's default `max-concurrent-uploads`: so many layers are asked for at once. */
const CONCURRENT_HEADS = 5;

/** Requests that bring a new connection up to speed, and are not measured. */
const WARM_UP = 10;
/** Requests, to stores next door, that bring the code of a process up to speed before the first round. */
const PROCESS_WARM_UP = 500;
const LISTS_WARM_UP = 20;

const slice = <T>(items: readonly T[], round: number, count: number): readonly T[] =>
  items.slice(round * count, (round + 1) * count);

export function manifestByTag({ requests, rounds }: CloudScale): Row {
  const repository = 'cloud/manifests';
  const config = randomBlob(1000);
  const layers = Array.from({ length: LAYERS }, () => randomBlob(1000));
  const perRound = requests + WARM_UP;
  const tags = Array.from({ length: rounds * perRound + PROCESS_WARM_UP }, (_, n) => `v${n}`);
  const getAll = ({ target }: Site, mine: readonly string[]) =>
    withConnection(target, (connection) =>
      timedEach(mine, (tag) => getManifest({ target, connection, repository }, tag)),
    );
  return {
    title: 'GET manifest by tag',
    goal: 10,
    rounds,
    prepare: oncePerFamily(async (site) => {
      await pushBlobs(site, repository, [config, ...layers]);
      await pushManifests(
        site,
        tags.map((tag) => ({ repository, tag, manifest: manifestOf(config, layers, tag) })),
      );
    }),
    warmUp: (site) => getAll(site, tags.slice(-PROCESS_WARM_UP)),
    measure: async (site, round) => {
      const samples = await getAll(site, slice(tags, round, perRound));
      return { samples: samples.slice(WARM_UP), operations: perRound };
    },
  };
}

export function blobRedirect({ requests, rounds }: CloudScale): Row {
  const repository = 'cloud/blobs';
  const perRound = requests + WARM_UP;
  const count = rounds * perRound + PROCESS_WARM_UP;
  const blobs = Array.from({ length: count }, () => randomBlob(REDIRECTED_BYTES));
  const getAll = ({ target }: Site, mine: readonly Blob[]) =>
    withConnection(target, (connection) =>
      timedEach(mine, ({ digest }) =>
        ask({ target, connection }, { method: 'GET', path: `/v2/${repository}/blobs/${digest}` }, 307),
      ),
    );
  return {
    title: 'GET blob: the redirect to S3',
    rounds,
    prepare: oncePerFamily((site) => pushBlobs(site, repository, blobs)),
    warmUp: (site) => getAll(site, blobs.slice(-PROCESS_WARM_UP)),
    measure: async (site, round) => {
      const samples = await getAll(site, slice(blobs, round, perRound));
      return { samples: samples.slice(WARM_UP), operations: perRound };
    },
  };
}

/** One tag and one blob, that the same process was asked for before. */
export function manifestAgain({ requests, rounds }: CloudScale): Row {
  const repository = 'cloud/again';
  const config = randomBlob(1000);
  const layers = Array.from({ length: LAYERS }, () => randomBlob(1000));
  return {
    title: 'GET manifest by a tag that was pulled a moment ago',
    isAgain: true,
    rounds,
    prepare: oncePerFamily(async (site) => {
      await pushBlobs(site, repository, [config, ...layers]);
      await pushManifests(site, [{ repository, tag: 'v1', manifest: manifestOf(config, layers, 'again') }]);
    }),
    measure: ({ target }) =>
      measureAgain(target, requests, (session) => getManifest({ ...session, repository }, 'v1')),
  };
}

export function redirectAgain({ requests, rounds }: CloudScale): Row {
  const repository = 'cloud/blob-again';
  const blob = randomBlob(REDIRECTED_BYTES);
  const path = `/v2/${repository}/blobs/${blob.digest}`;
  return {
    title: 'GET blob that was pulled a moment ago: the redirect',
    isAgain: true,
    rounds,
    prepare: oncePerFamily((site) => pushBlobs(site, repository, [blob])),
    measure: ({ target }) =>
      measureAgain(target, requests, (session) => ask(session, { method: 'GET', path }, 307)),
  };
}

function measureAgain(
  target: Site['target'],
  requests: number,
  work: (session: { readonly target: Site['target']; readonly connection: Connection }) => Promise<unknown>,
) {
  const times = Array.from({ length: requests + WARM_UP });
  return withConnection(target, async (connection) => {
    const samples = await timedEach(times, () => work({ target, connection }));
    return { samples: samples.slice(WARM_UP), operations: times.length };
  });
}

/** As a client begins a push of an image that is there already. */
export function heads({ requests, rounds }: CloudScale): Row {
  const repository = 'cloud/heads';
  const sets = Math.max(1, Math.floor(requests / 20));
  const perRound = HEADS * (sets + 1);
  const blobs = Array.from({ length: rounds * perRound }, () => randomBlob(1000));
  return {
    title: `HEAD of ${HEADS} blobs, ${CONCURRENT_HEADS} at a time`,
    rounds,
    prepare: oncePerFamily((site) => pushBlobs(site, repository, blobs)),
    measure: ({ target }, round) =>
      withConnections(target, CONCURRENT_HEADS, async (connections) => {
        const mine = slice(blobs, round, perRound);
        const all = Array.from({ length: sets + 1 }, (_, set) => slice(mine, set, HEADS));
        const samples = await timedEach(all, (set) => headAll(connections, { target, repository }, set));
        return { samples: samples.slice(1), operations: sets + 1 };
      }),
  };
}

async function headAll(
  connections: readonly Connection[],
  { target, repository }: Pick<Site, 'target'> & { readonly repository: string },
  blobs: readonly Blob[],
): Promise<void> {
  const waiting = blobs.values();
  const workers = connections.map(async (connection) => {
    for (const { digest } of waiting) {
      const path = `/v2/${repository}/blobs/${digest}`;
      // The CNCF registry sends its client on to S3, which would cost the client one request more.
      await ask({ target, connection }, { method: 'HEAD', path }, 200, 307);
    }
  });
  await Promise.all(workers);
}

export function referrers({ referrers: count, rounds }: CloudScale): Row {
  const repository = 'cloud/referrers';
  const config = randomBlob(1000);
  const subjects = Array.from({ length: rounds + 1 }, (_, n) => subjectOf(config, n, count));
  const list = async ({ target, family }: Site, connection: Connection, subject = '') => {
    const session = { target, connection, repository };
    const path = `/v2/${repository}/referrers/${subject}`;
    if (family === 'stowage') await ask(session, { method: 'GET', path }, 200);
    else await getManifest(session, fallbackTag(subject));
  };
  return {
    title: `referrers of a digest that has ${count}`,
    rounds,
    prepare: oncePerFamily(async (site) => {
      await pushBlobs(site, repository, [config]);
      for (const subject of subjects) await pushSubject(site, repository, subject);
    }),
    warmUp: (site) =>
      withConnection(site.target, (connection) =>
        timedEach(Array.from({ length: LISTS_WARM_UP }), () =>
          list(site, connection, subjects.at(-1)?.digest),
        ),
      ),
    measure: (site, round) =>
      withConnection(site.target, async (connection) => {
        const sample = await timed(() => list(site, connection, subjects[round]?.digest));
        const note =
          'the CNCF registry has no referrers: it is asked for the tag that clients keep in their place';
        return { samples: [sample], note };
      }),
  };
}
