import { ORIGINS } from '../../../functions/environment.ts';

type OriginName = keyof typeof ORIGINS;

/** What went to one origin, and what came back. */
export interface OriginCount {
  requests: number;
  /** Bytes of bodies that were sent there. */
  bytesIn: number;
  /** Bytes of bodies that it answered with. */
  bytesOut: number;
  /** The part of `bytesIn` that is content of blobs: bodies of upload requests. */
  uploadBytes: number;
}

export type Counts = Readonly<Record<OriginName, OriginCount>>;

const UPLOAD = /^\/v2\/.+\/blobs\/uploads\/?/;

/** Whether the body of a request is the content of a blob, or a part of it. */
export function isUpload(method: string, path: string): boolean {
  return ['PUT', 'PATCH', 'POST'].includes(method) && UPLOAD.test(path);
}

/** What the harness has seen pass since it was last asked to forget. */
export class Counters {
  #counts = none();

  get counts(): Counts {
    return structuredClone(this.#counts);
  }

  /** Requests under way are counted where they are now. */
  of(origin: string): OriginCount {
    const name = Object.values(ORIGINS).find((each) => each === origin);
    if (name === undefined) throw new Error(`there is no origin ${origin}`);
    return this.#counts[name];
  }

  reset(): void {
    for (const name of Object.values(ORIGINS)) Object.assign(this.#counts[name], nothing());
  }
}

const nothing = (): OriginCount => ({ requests: 0, bytesIn: 0, bytesOut: 0, uploadBytes: 0 });

const none = (): Counts => ({ api: nothing(), blobs: nothing(), stream: nothing() });
