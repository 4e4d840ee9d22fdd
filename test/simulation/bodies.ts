import type { Body } from '../../functions/storage/blob-store.ts';
import type { World } from './world.ts';

/** A body as the stores use one: a stream that is really one takes longer than all else in a step. Each chunk of it comes
 *  when the scheduler lets it. */
class ScheduledBody implements AsyncIterable<Uint8Array> {
  locked = false;
  readonly #world: World;
  readonly #chunks: readonly Uint8Array[];
  readonly #label: string;

  constructor(world: World, chunks: readonly Uint8Array[], label: string) {
    [this.#world, this.#chunks, this.#label] = [world, chunks, label];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    this.locked = true;
    for (const chunk of this.#chunks) {
      yield await this.#world.call({
        label: () => `${this.#label}: ${chunk.length} bytes`,
        run: async () => chunk,
      });
    }
  }

  getReader() {
    return readerOf(this);
  }

  async cancel(): Promise<void> {
    this.locked = true;
  }
}

/** As a stream's: what is read on after `cancel` is the end. */
function readerOf(body: AsyncIterable<Uint8Array>) {
  const chunks = body[Symbol.asyncIterator]();
  return {
    read: async () => chunks.next(),
    cancel: async () => void chunks.return?.(),
  };
}

const asBody = (body: AsyncIterable<Uint8Array>) => body as unknown as Body;

/** A body whose chunks come one by one, or not all of them. */
export const slowBody = (world: World, chunks: readonly Uint8Array[], label = 'the body comes'): Body =>
  asBody(new ScheduledBody(world, chunks, label));

/** A body that is there at once. */
export function bodyOf(bytes: Uint8Array): Body {
  const body = {
    locked: false,
    async *[Symbol.asyncIterator]() {
      body.locked = true;
      yield bytes;
    },
    getReader: () => readerOf(body),
    async cancel() {
      body.locked = true;
    },
  };
  return asBody(body);
}

/** More than anything that is stored. */
const MOST = 20 * 1024;

/** All bytes of a body that a store has answered, which may be a real stream. */
export async function bytesOf(body: Body): Promise<Uint8Array> {
  if (body instanceof ReadableStream) return bytesOfStream(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function bytesOfStream(body: Body): Promise<Uint8Array> {
  const reader = body.getReader({ mode: 'byob' });
  const chunks: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(MOST));
    if (value) chunks.push(value);
    if (done) return Buffer.concat(chunks);
  }
}
