import { randomBlob } from '../content.ts';
import { withConnection } from '../http/connection.ts';
import { chunkedBlob, pushBlobByPatch, pushBlobByPut, wholeBlob } from '../registry-calls.ts';
import type { Scale } from '../scale.ts';
import { FSYNCS_OF_A_PATCH, FSYNCS_OF_A_PUT, MIB, mibPerSecond } from './figures.ts';
import type { Workload } from './workload.ts';

const REPOSITORY = 'bench/push-blob';

/** One large blob at a time, as containerd sends it. */
export function pushBlobPut({ blobBytes, blobRounds }: Scale): Workload {
  return {
    title: `push a blob of ${blobBytes / MIB} MiB (POST, PUT with its length)`,
    figure: mibPerSecond(blobBytes),
    rounds: blobRounds,
    demand: { ...demandOf(blobBytes), requests: 2, fsyncs: FSYNCS_OF_A_PUT },
    makeRound: () => {
      const blob = randomBlob(blobBytes);
      const body = wholeBlob(blob);
      return (target, measure) =>
        withConnection(target, (connection) =>
          measure(() => pushBlobByPut({ target, connection, repository: REPOSITORY }, blob, body)),
        );
    },
  };
}

/** One large blob at a time, as Docker sends it. */
export function pushBlobPatch({ blobBytes, blobRounds }: Scale): Workload {
  return {
    title: `push a blob of ${blobBytes / MIB} MiB (POST, chunked PATCH, PUT)`,
    figure: mibPerSecond(blobBytes),
    rounds: blobRounds,
    demand: { ...demandOf(blobBytes), requests: 3, fsyncs: FSYNCS_OF_A_PATCH },
    makeRound: () => {
      const blob = randomBlob(blobBytes);
      const body = chunkedBlob(blob);
      return (target, measure) =>
        withConnection(target, (connection) =>
          measure(() => pushBlobByPatch({ target, connection, repository: REPOSITORY }, blob, body)),
        );
    },
  };
}

function demandOf(bytes: number) {
  return { storedBytes: bytes, hashedBytes: bytes, receivedBytes: bytes };
}
