import { MANIFEST_TYPE, randomBlob } from './content.ts';
import { withConnection } from './http/connection.ts';
import { prepare, type Target } from './http/request.ts';
import { blobPath, pushBlobByPut, startUpload } from './registry-calls.ts';
import { MIB } from './workloads/figures.ts';

/** Clients that are slow on purpose: each sends what it is given and then does nothing, neither send nor read. */
export interface Attack {
  readonly title: string;
  /** How many times as many clients as of other attacks. @default 1 */
  readonly times?: number;
  /** What the registry must hold for it. @default nothing */
  readonly setUp?: (target: Target) => Promise<void>;
  /** All that the client of this number sends. */
  readonly bytesOf: (target: Target, client: number) => Buffer | Promise<Buffer>;
}

const KIB = 1024;

/** More than the sockets of both ends take. */
const READ_BYTES = 16 * MIB;

/** Less than the registry writes at once. */
const WRITTEN_BYTES = 900 * KIB;

/** Of 64 KiB, which a form may have. Without users there is no form; a small manifest is read as one is. */
const FORM_BYTES = 63 * KIB;

/** Of 16 KiB, which a head may have. */
const HEAD_BYTES = 15 * KIB;

function slowWriters(): Attack {
  const sent = Buffer.alloc(WRITTEN_BYTES, 7);
  const open = (target: Target, client: number) =>
    withConnection(target, (connection) =>
      startUpload({ target, connection, repository: `bench/slow-writers-${client}` }),
    );
  return {
    title: `writers of ${WRITTEN_BYTES / KIB} KiB of a layer`,
    bytesOf: async (target, client) =>
      Buffer.concat([endless(`PATCH ${await open(target, client)}`, 500 * MIB), sent]),
  };
}

function slowForms(): Attack {
  const headers = [`Content-Type: ${MANIFEST_TYPE}`];
  const line = 'PUT /v2/bench/slow-forms/manifests/latest';
  const bytes = Buffer.concat([endless(line, FORM_BYTES + 1, headers), Buffer.alloc(FORM_BYTES, ' ')]);
  return {
    title: `small bodies that lack a byte of ${FORM_BYTES / KIB} KiB`,
    times: 3,
    bytesOf: () => bytes,
  };
}

function slowHeads(): Attack {
  const bytes = Buffer.from(`GET /v2/ HTTP/1.1\r\nHost: bench\r\nX-Slow: ${'a'.repeat(HEAD_BYTES)}`);
  return { title: `heads of ${HEAD_BYTES / KIB} KiB without an end`, times: 3, bytesOf: () => bytes };
}

/** The head of a request whose body does not come to its end. */
function endless(line: string, length: number, headers: readonly string[] = []): Buffer {
  const lines = [`${line} HTTP/1.1`, 'Host: bench', `Content-Length: ${length}`, ...headers];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
}

/** Each attack, in the order of the report. */
export const ATTACKS: readonly Attack[] = [slowReaders(), slowWriters(), slowForms(), slowHeads()];

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
