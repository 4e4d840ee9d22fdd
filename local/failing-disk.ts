import { RegistryError } from '../functions/oci/errors.ts';
import { storageFailed } from '../functions/oci/host-errors.ts';

/** Kinds of SQLite's errors: the file may only be read, and the disk did not do what it was asked for. */
const SQLITE_FAILED = [8, 10];

/** Of the system: the same. */
const SYSTEM_FAILED = ['EIO', 'EROFS'];

/** Tells of a disk that fails, or has become read-only, while the registry runs; what can be read is served. */
export class FailingDisk {
  readonly #folder: string;
  readonly #tell: (what: string) => void;
  readonly #told = new Set<string>();

  constructor(folder: string, tell: (what: string) => void) {
    this.#folder = folder;
    this.#tell = tell;
  }

  /** The refusal of what failed for that; `undefined` where an error is another one. The operator is told once of each
   *  reason. */
  refusalOf(error: unknown): RegistryError | undefined {
    const failure = failureIn(error);
    if (failure === undefined) return undefined;
    const { code, errcode } = failure;
    const reason = `${errcode ?? code}`; // a message may name a file, and there are many
    if (!this.#told.has(reason)) this.#tell(messageOf(this.#folder, failure.message));
    this.#told.add(reason);
    return storageFailed();
  }
}

const messageOf = (folder: string, why: string) =>
  `the disk of ${folder} fails, or may only be read (${why}): what writes is refused (503); pulls go on. Look at dmesg, mount it ` +
  'for writing or replace it, and start the registry again: docs/runbook.md#the-disk-fails';

type Failure = Error & { readonly code?: string; readonly errcode?: number };

/** What says so, the error or what caused it. Bytes that are lost have an answer of their own. */
function failureIn(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || error instanceof RegistryError) return undefined;
  const { code, errcode } = error as Failure;
  const isFailure =
    SYSTEM_FAILED.includes(code ?? '') || (errcode !== undefined && SQLITE_FAILED.includes(errcode & 0xff));
  return isFailure ? error : failureIn(error.cause);
}
