import { manifestOf, randomBlob } from '../content.ts';
import { type Connection, withConnection, withConnections } from '../http/connection.ts';
import type { PreparedRequest, Target } from '../http/request.ts';
import { expectReply, pushBlobByPut, putManifest } from '../registry-calls.ts';
import type { Scale } from '../scale.ts';
import { requestsPerSecond } from './figures.ts';
import type { RoundOfWork, Workload } from './workload.ts';

const WRITERS = 32;
const BLOB_BYTES = 1000;

interface TaggedManifest {
  readonly tag: string;
  readonly manifest: Buffer;
}

/** Writers that each push new manifests under new tags, all to one repository, new in each round. */
export function pushManifests({ manifestsPerWriter, rounds }: Scale): Workload {
  return {
    title: `${WRITERS} writers push ${manifestsPerWriter} manifests each to one repository`,
    figure: requestsPerSecond(WRITERS * manifestsPerWriter),
    rounds,
    demand: { requests: WRITERS * manifestsPerWriter, fsyncs: 2 * manifestsPerWriter },
    makeRound: (label) => pushAll(`bench/push-manifests-${label}`, manifestsPerWriter),
  };
}

function pushAll(repository: string, manifestsPerWriter: number): RoundOfWork {
  const config = randomBlob(BLOB_BYTES);
  const layer = randomBlob(BLOB_BYTES);
  const writers = Array.from({ length: WRITERS }, (_, writer) =>
    Array.from({ length: manifestsPerWriter }, (_, n): TaggedManifest => {
      const tag = `writer-${writer}-${n}`;
      return { tag, manifest: manifestOf(config, [layer], tag) };
    }),
  );
  return async (target, measure) => {
    await withConnection(target, async (connection) => {
      await pushBlobByPut({ target, connection, repository }, config);
      await pushBlobByPut({ target, connection, repository }, layer);
    });
    const requests = writers.map((manifests) => requestsOf(target, repository, manifests));
    await withConnections(target, WRITERS, (connections) =>
      measure(() => Promise.all(connections.map((connection, n) => sendAll(connection, requests[n] ?? [])))),
    );
  };
}

function requestsOf(
  target: Target,
  repository: string,
  manifests: readonly TaggedManifest[],
): PreparedRequest[] {
  return manifests.map(({ tag, manifest }) => putManifest(target, repository, tag, manifest));
}

async function sendAll(connection: Connection, requests: readonly PreparedRequest[]): Promise<void> {
  for (const request of requests) {
    await expectReply(connection, request, 201);
  }
}
