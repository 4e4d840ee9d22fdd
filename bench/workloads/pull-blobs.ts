import { type Blob, randomBlob } from '../content.ts';
import { type Connection, withConnection, withConnections } from '../http/connection.ts';
import { type PreparedRequest, prepare } from '../http/request.ts';
import { blobPath, expectReply, pushBlobByPut } from '../registry-calls.ts';
import type { Scale } from '../scale.ts';
import { requestsPerSecond } from './figures.ts';
import type { RoundOfWork, Workload } from './workload.ts';

const REPOSITORY = 'bench/pull-blobs';
const CONCURRENCY = 8;
const BLOBS = 8;
const MEGABYTE = 1_000_000;

/** Blobs of one size out of the page cache; each connection asks for the next as soon as it has one. */
function pullBlobs(bytes: number, count: number, rounds: number): Workload {
  const blobs = Array.from({ length: BLOBS }, () => randomBlob(bytes));
  return {
    title: `pull blobs of ${bytes < MEGABYTE ? `${bytes / 1000} kB` : `${bytes / MEGABYTE} MB`}, ${CONCURRENCY} at a time, ${count} in all`,
    figure: requestsPerSecond(count),
    rounds,
    demand: { sentBytes: count * bytes, requests: count },
    setUp: (target) =>
      withConnection(target, async (connection) => {
        const session = { target, connection, repository: REPOSITORY };
        for (const blob of blobs) await pushBlobByPut(session, blob);
      }),
    makeRound: () => pullAll(blobs, count),
  };
}

export const pullBlobsOf2Kilobytes = ({ pulledBlobs, rounds }: Scale) =>
  pullBlobs(2 * 1000, pulledBlobs * 5, rounds);
export const pullBlobsOf1Megabyte = ({ pulledBlobs, rounds }: Scale) =>
  pullBlobs(MEGABYTE, pulledBlobs, rounds);
export const pullBlobsOf10Megabytes = ({ pulledBlobs, rounds }: Scale) =>
  pullBlobs(10 * MEGABYTE, Math.ceil(pulledBlobs / 5), rounds);

function pullAll(blobs: readonly Blob[], count: number): RoundOfWork {
  return (target, measure) =>
    withConnections(target, CONCURRENCY, (connections) => {
      const requests = blobs.map((blob) =>
        prepare(target, { method: 'GET', path: blobPath(REPOSITORY, blob) }),
      );
      const waiting = Array.from({ length: count }, (_, n) => requests[n % requests.length]).values();
      const size = blobs[0]?.size;
      return measure(() =>
        Promise.all(
          connections.map((connection) =>
            pullWaiting(connection, waiting as Iterable<PreparedRequest>, size),
          ),
        ),
      );
    });
}

async function pullWaiting(
  connection: Connection,
  waiting: Iterable<PreparedRequest>,
  size: number | undefined,
): Promise<void> {
  for (const request of waiting) {
    const { bodyBytes } = await expectReply(connection, request, 200);
    if (bodyBytes !== size) throw new Error(`${request.path}: ${bodyBytes} bytes, not the ${size} pushed`);
  }
}
