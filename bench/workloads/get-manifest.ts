import { manifestOf, randomBlob } from '../content.ts';
import { type Connection, withConnection, withConnections } from '../http/connection.ts';
import { type PreparedRequest, prepare, type Target } from '../http/request.ts';
import { expectReply, pushBlobByPut, pushManifest } from '../registry-calls.ts';
import type { Scale } from '../scale.ts';
import { requestsPerSecond } from './figures.ts';
import type { RoundOfWork, Workload } from './workload.ts';

const REPOSITORY = 'bench/get-manifest';
const CONCURRENCY = 32;
const IMAGES = 50;
const LAYERS = 10;
const BLOB_BYTES = 1000;

/** What `docker pull` accepts, a line each. */
const ACCEPT = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  'application/json',
].map((type) => `Accept: ${type}`);

/** Many clients asking for tags of one repository; each connection asks anew when it is answered. */
export function getManifest({ manifestGets, rounds }: Scale): Workload {
  const config = randomBlob(BLOB_BYTES);
  const layers = Array.from({ length: LAYERS }, () => randomBlob(BLOB_BYTES));
  const manifests = Array.from({ length: IMAGES }, (_, n) => manifestOf(config, layers, tagOf(n)));
  return {
    title: `GET manifest by tag, ${CONCURRENCY} at a time, ${manifestGets} of ${IMAGES} tags`,
    figure: requestsPerSecond(manifestGets),
    rounds,
    demand: { sentBytes: manifestGets * (manifests[0]?.length ?? 0), requests: manifestGets },
    setUp: (target) =>
      withConnection(target, async (connection) => {
        const session = { target, connection, repository: REPOSITORY };
        for (const blob of [config, ...layers]) {
          await pushBlobByPut(session, blob);
        }
        for (const [n, manifest] of manifests.entries()) {
          await pushManifest(session, tagOf(n), manifest);
        }
      }),
    makeRound: () => getAll(manifestGets, manifests),
  };
}

interface ManifestGet {
  readonly request: PreparedRequest;
  readonly size: number;
}

function getAll(count: number, manifests: readonly Buffer[]): RoundOfWork {
  return (target, measure) =>
    withConnections(target, CONCURRENCY, (connections) => {
      const distinct = manifests.map((manifest, n) => ({
        request: getTag(target, n),
        size: manifest.length,
      }));
      const waiting = repeat(distinct, count);
      return measure(() => Promise.all(connections.map((connection) => getWaiting(connection, waiting))));
    });
}

async function getWaiting(connection: Connection, waiting: Iterable<ManifestGet>): Promise<void> {
  for (const { request, size } of waiting) {
    const { bodyBytes } = await expectReply(connection, request, 200);
    if (bodyBytes !== size) {
      throw new Error(`${request.path}: ${bodyBytes} bytes, not the ${size} that were pushed`);
    }
  }
}

function* repeat<T>(items: readonly T[], count: number): Generator<T> {
  for (let n = 0; n < count; n++) {
    yield items[n % items.length] as T;
  }
}

function getTag(target: Target, n: number): PreparedRequest {
  return prepare(target, {
    method: 'GET',
    path: `/v2/${REPOSITORY}/manifests/${tagOf(n)}`,
    headers: ACCEPT,
  });
}

function tagOf(n: number): string {
  return `1.${n}`;
}
