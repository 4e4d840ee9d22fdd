import { algorithmOf, digestOf } from '../../functions/oci/digest.ts';
import type {
  AppendOptions,
  BlobStore,
  Body,
  ObjectKey,
  Upload,
} from '../../functions/storage/blob-store.ts';
import type { Process, World } from './world.ts';

/** Bytes in memory: those that can be read, and those of uploads under way. */
export class MemoryObjects {
  readonly whole = new Map<ObjectKey, Uint8Array>();
  readonly parts = new Map<ObjectKey, Uint8Array>();

  delete(key: ObjectKey): void {
    this.whole.delete(key);
    this.parts.delete(key);
  }
}

const bodies = new WeakMap<Body, Uint8Array>();

/** A request's body. Nobody reads the stream: making one that is read takes longer than all else in a step. */
export function bodyOf(bytes: Uint8Array): Body {
  const body: Body = new ReadableStream();
  bodies.set(body, bytes);
  return body;
}

/** The bytes behind a body that a store has answered. */
export const bytesOf = (body: Body): Uint8Array | undefined => bodies.get(body);

/** The world's objects as one process sees them: every call waits until the scheduler lets it happen. */
export function scheduledBlobs(world: World, process: Process): BlobStore {
  const { objects } = world;
  const call = <T>(label: string, run: () => T) =>
    world.call(process, {
      label: () => label,
      run: async () => {
        world.changes += 1;
        return run();
      },
    });
  return {
    start: async (objectKey, algorithm) => ({ objectKey, offset: 0, state: { algorithm } }),
    append: async (upload, body, options) => append(call, objects, upload, body, options),
    finish: (upload, digest) => call(`finish ${upload.objectKey}`, () => finish(objects, upload, digest)),
    received: async () => undefined,
    abort: ({ objectKey }) => call(`abort ${objectKey}`, () => objects.delete(objectKey)),
    put: (key, bytes) => call(`write ${key}`, () => void objects.whole.set(key, bytes)),
    downloadUrl: async () => undefined,
    read: (key) =>
      world.call(process, { label: () => `read ${key}`, run: async () => readObject(objects, key) }),
    delete: async (keys) => {
      for (const key of keys) await call(`delete ${key}`, () => objects.delete(key));
    },
    list: async () => [],
  };
}

type CallStore = <T>(label: string, run: () => T) => Promise<T>;

async function append(
  call: CallStore,
  objects: MemoryObjects,
  upload: Upload,
  body: Body,
  { commit }: AppendOptions,
) {
  const { objectKey, offset } = upload;
  const bytes = bodies.get(body) ?? new Uint8Array();
  await call(`append to ${objectKey}`, () => {
    const before = objects.parts.get(objectKey)?.subarray(0, offset) ?? new Uint8Array();
    objects.parts.set(objectKey, Buffer.concat([before, bytes]));
  });
  const next = { ...upload, offset: offset + bytes.length };
  return (await commit(next)) ? ({ is: 'appended', upload: next } as const) : ({ is: 'lost' } as const);
}

function finish(
  objects: MemoryObjects,
  { objectKey, offset }: Upload,
  digest: Parameters<typeof algorithmOf>[0],
) {
  const bytes = (objects.parts.get(objectKey) ?? new Uint8Array()).subarray(0, offset);
  if (digestOf(algorithmOf(digest), bytes) !== digest) return 'mismatch';
  objects.whole.set(objectKey, bytes);
  return 'stored';
}

function readObject(objects: MemoryObjects, key: ObjectKey): Body | undefined {
  const bytes = objects.whole.get(key);
  return bytes && bodyOf(bytes);
}
