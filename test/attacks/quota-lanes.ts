import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { digestOf } from '../../functions/oci/digest.ts';
import { inPieces, type Pusher } from './pusher.ts';

/** One way to have the stores hold bytes, or to keep them there. */
export type Lane = (pusher: Pusher, repository: string) => Promise<unknown>;

const some = () => randomBytes(randomInt(20_000, 500_000));
const soon = () => sleep(randomInt(20));

/** Another digest than these bytes have. */
const wrong = () => digestOf('sha256', randomBytes(9));

async function patched(
  pusher: Pusher,
  repository: string,
  chunks: number,
): Promise<[string, Uint8Array] | undefined> {
  let location = await pusher.open(repository);
  const sent: Uint8Array[] = [];
  for (let n = 0; n < chunks && location !== undefined; n += 1) {
    const body = randomBytes(randomInt(10_000, 250_000));
    const answer = await pusher.send('PATCH', location, { body });
    if (answer?.status !== 202) return undefined;
    sent.push(body);
    location = answer.headers.get('location') ?? location;
  }
  return location === undefined ? undefined : [location, Buffer.concat(sent)];
}

/** Of a blob that is there already, in whatever repository. */
async function again(pusher: Pusher, repository: string, bytes: Uint8Array, isWhole: boolean): Promise<void> {
  if (isWhole) return void (await pusher.put(repository, bytes));
  const location = await pusher.open(repository);
  const answer = location && (await pusher.send('PATCH', location, { body: bytes }));
  if (answer && answer.status === 202)
    await pusher.close(answer.headers.get('location') ?? '', digestOf('sha256', bytes));
}

/** The connection ends with it. */
async function* cut(body: AsyncIterable<Uint8Array>, pieces: number) {
  let left = pieces;
  for await (const piece of body) {
    if (left === 0) throw new Error('cut');
    left -= 1;
    yield piece;
  }
}

export const COMMON = randomBytes(150_000);

const manifest = (bytes: number) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [],
    annotations: { filler: randomBytes(bytes / 2).toString('hex') },
  });

export const LANES: Readonly<Record<string, Lane>> = {
  'POST with the digest': async (pusher, repository) => {
    const body = some();
    await pusher.send('POST', `/v2/${repository}/blobs/uploads/?digest=${digestOf('sha256', body)}`, {
      body,
    });
  },
  'POST and PUT': (pusher, repository) => pusher.put(repository, some()),
  'POST and PUT of unknown length': async (pusher, repository) => {
    const location = await pusher.open(repository);
    if (location) await pusher.close(location, wrong(), inPieces(900_000, soon));
  },
  'chunks, then nothing': (pusher, repository) => patched(pusher, repository, randomInt(1, 4)),
  'chunks, then cancelled and sent once more': async (pusher, repository) => {
    const found = await patched(pusher, repository, randomInt(1, 4));
    if (!found) return;
    await pusher.send('DELETE', found[0]);
    await pusher.send('PATCH', found[0], { body: some() });
    await pusher.close(found[0], digestOf('sha256', COMMON), COMMON);
  },
  'chunks, then another digest': async (pusher, repository) => {
    const found = await patched(pusher, repository, randomInt(1, 3));
    if (found) await pusher.close(found[0], wrong());
  },
  'chunks that become a blob': async (pusher, repository) => {
    const found = await patched(pusher, repository, randomInt(1, 4));
    if (found) await pusher.close(found[0], digestOf('sha256', found[1]));
  },
  'a chunk of unknown length': async (pusher, repository) => {
    const location = await pusher.open(repository);
    if (location)
      await pusher.send('PATCH', location, { body: inPieces(randomInt(100_000, 2_000_000), soon) });
  },
  'chunks that are cut': async (pusher, repository) => {
    const location = await pusher.open(repository);
    for (let n = 0; n < 3 && location; n += 1)
      await pusher.send('PATCH', location, { body: cut(inPieces(800_000, soon), randomInt(1, 8)) });
  },
  'chunks at once into one upload, which is cancelled': async (pusher, repository) => {
    const location = await pusher.open(repository);
    if (!location) return;
    const chunks = Array.from({ length: 4 }, () =>
      pusher.send('PATCH', location, { body: inPieces(600_000, soon) }),
    );
    await soon();
    await pusher.send('DELETE', location);
    await Promise.all(chunks);
  },
  'closings at once': async (pusher, repository) => {
    const location = await pusher.open(repository);
    const bodies = [some(), some(), some()];
    if (location)
      await Promise.all(bodies.map((body) => pusher.close(location, digestOf('sha256', body), body)));
  },
  'a blob that is there, again': (pusher, repository) => again(pusher, repository, COMMON, true),
  'a blob that is there, again in chunks': (pusher, repository) => again(pusher, repository, COMMON, false),
  'past the registry': async (pusher, repository) => {
    const location = await pusher.open(repository);
    const body = randomBytes(5 * 1024 * 1024);
    const send = () => location && pusher.close(location, digestOf('sha256', body), body);
    await send();
    if (location) await pusher.send('DELETE', location);
    await send();
  },
  'a mount': (pusher, repository) =>
    pusher.send(
      'POST',
      `/v2/${repository}/blobs/uploads/?mount=${digestOf('sha256', COMMON)}&from=open/source`,
      {
        body: '',
      },
    ),
  'large manifests': async (pusher, repository) => {
    const [headers, tag] = [
      { 'content-type': 'application/vnd.oci.image.index.v1+json' },
      `t${randomInt(1e9)}`,
    ];
    const body = manifest(randomInt(20_000, 1_000_000));
    await pusher.send('PUT', `/v2/${repository}/manifests/${tag}`, { body, headers });
  },
};

/** What S3 takes itself, behind a front door. */
const PAST = 5_000_000;

/** Ways past the registry, each with an upload token that may be used more than once. */
export const PAST_LANES: Readonly<Record<string, Lane>> = {
  'and then nothing': async (pusher, repository) => {
    await pusher.open(repository);
  },
  'a blob': (pusher, repository) => pusher.put(repository, randomBytes(PAST)),
  'of another digest': async (pusher, repository) => {
    const location = await pusher.open(repository);
    if (location) await pusher.close(location, wrong(), randomBytes(PAST));
  },
  'cancelled, and sent once more': async (pusher, repository) => {
    const location = await pusher.open(repository);
    if (!location) return;
    await pusher.send('DELETE', location);
    const body = randomBytes(PAST);
    await pusher.close(location, digestOf('sha256', body), body);
  },
  'the same blob in several uploads': async (pusher, repository) => {
    const body = randomBytes(PAST);
    for (let n = 0; n < 4; n += 1) await pusher.put(repository, body);
  },
  'after a chunk through the registry': async (pusher, repository) => {
    const location = await pusher.open(repository);
    if (!location) return;
    await pusher.send('PATCH', location, { body: randomBytes(1_000_000) });
    const body = randomBytes(PAST);
    await pusher.close(location, digestOf('sha256', body), body);
    await pusher.send('DELETE', location);
    await pusher.close(location, digestOf('sha256', body), body);
  },
  'beside a closing through the registry': async (pusher, repository) => {
    const location = await pusher.open(repository);
    const [small, large] = [randomBytes(900_000), randomBytes(PAST)];
    const sent = [small, large].map(
      (body) => location && pusher.close(location, digestOf('sha256', body), body),
    );
    await Promise.all(sent);
  },
};
