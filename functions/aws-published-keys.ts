import { KeyPublication, type PublishedText } from './auth/key-publication.ts';
import { RingCache } from './auth/ring-cache.ts';
import { decodeKeyRing, encodeKeyRing, type KeyRing, type KeySource } from './auth/signing-keys.ts';
import { type Calls, type Environment, required, TIMEOUTS } from './aws-clients.ts';
import { ENV, FRONT_STORE_KEY } from './environment.ts';
import { encodeFrontValue, parseFrontSettings } from './front-value.ts';

interface Aws {
  readonly environment: Environment;
  readonly calls: Calls;
}

/** All of it are small answers, and a run of the job makes a dozen calls at most. */
const QUICK = { ...TIMEOUTS, socketTimeout: 5000 };

/** Wherever the environment says that copies of the signing keys are: with the front door, with the stream host. */
export function keyPublications(aws: Aws): readonly KeyPublication[] {
  const { environment } = aws;
  const publications: KeyPublication[] = [];
  const arn = environment[ENV.frontStore];
  if (arn) {
    const settings = parseFrontSettings(required(environment, ENV.frontSettings));
    const encode = (ring: KeyRing) => encodeFrontValue(ring, settings);
    publications.push(new KeyPublication({ copy: frontText(aws, arn), encode }));
  }
  const key = environment[ENV.keysObject];
  if (key) publications.push(new KeyPublication({ copy: objectText(aws, key), encode: encodeKeyRing }));
  return publications;
}

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

function frontText({ environment, calls }: Aws, arn: string): PublishedText {
  return lazyText(`the front door's store ${arn}`, async () => {
    const { keyValueStoreClient } = await import('./storage/cloudfront/key-value-store-client.ts');
    const { KeyValueText } = await import('./storage/cloudfront/key-value-text.ts');
    const endpoint = environment[ENV.frontStoreEndpoint];
    const client = keyValueStoreClient({ endpoint, requestHandler: QUICK });
    return new KeyValueText({ client: calls.of(client), arn, key: FRONT_STORE_KEY });
  });
}

function objectText({ environment, calls }: Aws, key: string): PublishedText {
  const bucket = required(environment, ENV.bucket);
  return lazyText(`s3://${bucket}/${key}`, async () => {
    const { s3Client } = await import('./storage/s3/s3-client.ts');
    const { ObjectText } = await import('./storage/s3/object-text.ts');
    const client = s3Client({ endpoint: environment[ENV.bucketEndpoint], requestHandler: QUICK });
    return new ObjectText({ client: calls.of(client), bucket, key });
  });
}

/** A text whose client is loaded when it is first needed. */
function lazyText(place: string, open: () => Promise<Omit<PublishedText, 'place'>>): PublishedText {
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
