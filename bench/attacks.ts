import { randomBlob } from './content.ts';
import { withConnection } from './http/connection.ts';
import { prepare, type Target } from './http/request.ts';
import { blobPath, pushBlobByPut } from './registry-calls.ts';
import { MIB } from './workloads/figures.ts';

/** Clients that are slow on purpose: each sends what it is given and then does nothing, neither send nor read. */
export interface Attack {
  readonly title: string;
  /** What the registry must hold for it. @default nothing */
  readonly setUp?: (target: Target) => Promise<void>;
  /** All that the client of this number sends. */
  readonly bytesOf: (target: Target, client: number) => Buffer | Promise<Buffer>;
}

/** More than the sockets of both ends take. */
const READ_BYTES = 16 * MIB;

/** Each attack, in the order of the report. */
export const ATTACKS: readonly Attack[] = [slowReaders()];

function slowReaders(): Attack {
  const repository = 'bench/slow-readers';
  const blob = randomBlob(READ_BYTES);
  return {
    title: `readers of one blob of ${READ_BYTES / MIB} MiB`,
    setUp: (target) =>
      withConnection(target, (connection) => pushBlobByPut({ target, connection, repository }, blob)),
    bytesOf: (target) => prepare(target, { method: 'GET', path: blobPath(repository, blob) }).head,
  };
}
