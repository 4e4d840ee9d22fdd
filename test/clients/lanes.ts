import type { Client, Kind } from './client.ts';
import { expectEqual, type Stored } from './registry.ts';

/** What the front counts of one origin; see docs of the harness. */
interface OriginCount {
  readonly requests: number;
  /** Bytes of layers and configs that were sent there. */
  readonly uploadBytes: number;
  /** Bytes of bodies that it answered with. */
  readonly bytesOut: number;
}

export type Counts = Readonly<Record<'api' | 'blobs' | 'stream', OriginCount>>;

/** What the harness saw of the bytes of one push: which went through Lambda, which to S3, which to the stream host. */
export class Lanes {
  readonly #harness: string;

  constructor(harness: string) {
    this.#harness = harness;
  }

  /** From here on is counted anew. */
  async reset(): Promise<void> {
    await fetch(new URL('/reset-counts', this.#harness), { method: 'POST' });
  }

  async counts(): Promise<Counts> {
    const response = await fetch(new URL('/counts', this.#harness));
    return (await response.json()) as Counts;
  }
}

/** Throws unless all that is larger than Lambda takes went past it, and the way this client sends blobs. Layers of an
 *  index may be mounted from the image instead. */
export function checkLanes({ sends }: Client, kind: Kind, counts: Counts, stored: Stored): Counts {
  const { bytes, largeBytes } = stored;
  const small = bytes - largeBytes;
  const past = sends === 'PUT' ? counts.blobs : counts.stream;
  if (counts.api.uploadBytes > small) {
    throw new Error(
      `${counts.api.uploadBytes} bytes of blobs went through Lambda, and only ${small} are small`,
    );
  }
  if (kind === 'image' && past.uploadBytes < largeBytes) {
    throw new Error(`${past.uploadBytes} bytes of blobs went past Lambda, of ${largeBytes}`);
  }
  if (sends === 'PUT') expectEqual('bytes by the stream host', counts.stream.uploadBytes, 0);
  return counts;
}

/** One line of what went where, in MB. */
export function describeCounts(counts: Counts): string {
  const lanes = Object.entries({ Lambda: counts.api, S3: counts.blobs, stream: counts.stream });
  return lanes.map(([name, { uploadBytes }]) => `${name} ${(uploadBytes / 1e6).toFixed(1)} MB`).join(', ');
}
