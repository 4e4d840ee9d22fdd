import type { PublishedText } from './auth/key-publication.ts';
import { RingCache } from './auth/ring-cache.ts';
import { decodeKeyRing, type KeySource } from './auth/signing-keys.ts';
import { type Calls, connections, type Environment, pause, required, TIMEOUTS } from './aws-clients.ts';
import { ENV } from './environment.ts';

export interface Aws {
  readonly environment: Environment;
  readonly calls: Calls;
}

/** Small answers; a run of the job waits for a dozen of them at most. */
export const QUICK = { ...TIMEOUTS, socketTimeout: 5000 };

/** The signing keys as the object `key` has them, for a host that cannot reach where they are kept. */
export function objectKeys(aws: Aws, key: string): KeySource {
  const copy = objectText(aws, key);
  const read = async () => {
    const { text } = await copy.read();
    if (text === undefined) throw new Error(`there are no signing keys to read in ${copy.place}`);
    return decodeKeyRing(text);
  };
  return new RingCache({ read, now: Date.now });
}

/** What is in the object `key`. */
export function objectText({ environment, calls }: Aws, key: string): PublishedText {
  const bucket = required(environment, ENV.bucket);
  return lazyText(`s3://${bucket}/${key}`, async () => {
    const { s3Client } = await import('./storage/s3/s3-client.ts');
    const { ObjectText } = await import('./storage/s3/object-text.ts');
    const client = s3Client({
      endpoint: environment[ENV.bucketEndpoint],
      requestHandler: connections(environment, QUICK),
    });
    return new ObjectText({ client: calls.of(client), bucket, key, pause });
  });
}

/** A text whose client is loaded when it is first needed. */
export function lazyText(place: string, open: () => Promise<Omit<PublishedText, 'place'>>): PublishedText {
  let opening: ReturnType<typeof open> | undefined;
  const opened = () => {
    opening ??= open().catch((error) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    place,
    read: async () => (await opened()).read(),
    replace: async (text, version) => (await opened()).replace(text, version),
  };
}
