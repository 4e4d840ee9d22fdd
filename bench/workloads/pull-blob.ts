import { type Blob, randomBlob } from '../content.ts';
import { withConnection } from '../http/connection.ts';
import { prepare } from '../http/request.ts';
import { blobPath, expectReply, pushBlobByPut } from '../registry-calls.ts';
import type { Scale } from '../scale.ts';
import { MIB, mibPerSecond } from './figures.ts';
import type { RoundOfWork, Workload } from './workload.ts';

const REPOSITORY = 'bench/pull-blob';

/** One large blob, out of the page cache of the machine; the client counts the bytes and drops them. */
export function pullBlob({ blobBytes, blobRounds }: Scale): Workload {
  const blob = randomBlob(blobBytes);
  return {
    title: `pull a blob of ${blobBytes / MIB} MiB (GET)`,
    figure: mibPerSecond(blobBytes),
    rounds: blobRounds,
    demand: { sentBytes: blobBytes, requests: 1 },
    setUp: (target) =>
      withConnection(target, (connection) =>
        pushBlobByPut({ target, connection, repository: REPOSITORY }, blob),
      ),
    makeRound: () => pullOnce(blob),
  };
}

function pullOnce(blob: Blob): RoundOfWork {
  return (target, measure) =>
    withConnection(target, (connection) => {
      const request = prepare(target, { method: 'GET', path: blobPath(REPOSITORY, blob) });
      return measure(async () => {
        const { bodyBytes } = await expectReply(connection, request, 200);
        if (bodyBytes !== blob.size) {
          throw new Error(`pulled ${bodyBytes} of ${blob.size} bytes`);
        }
      });
    });
}
