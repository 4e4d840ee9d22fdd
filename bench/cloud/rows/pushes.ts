import { type Blob, manifestOf, randomBlob } from '../../content.ts';
import { type Body, chunkedBody } from '../../http/body.ts';
import { withConnection, withConnections } from '../../http/connection.ts';
import { header, type Reply } from '../../http/reply-parser.ts';
import { settleDisk } from '../../measure.ts';
import {
  chunkedBlob,
  pushBlobByPatch,
  pushBlobByPut,
  pushManifest,
  type Session,
} from '../../registry-calls.ts';
import { ask, pushBlobs } from '../requests.ts';
import type { CloudScale } from '../scale.ts';
import type { Site } from '../sites.ts';
import { oncePerFamily, type Row, timed } from './row.ts';

/** Docker's default `max-concurrent-uploads`. */
const CONCURRENT_UPLOADS = 5;
const OCTETS = 'Content-Type: application/octet-stream';

/** As `docker push` sends it: for each layer HEAD, POST, PATCH, PUT and HEAD, then the config likewise, then the manifest. */
export function pushNew({ imageLayers, layerBytes, images, rounds }: CloudScale): Row {
  return {
    title: `push of an image with ${imageLayers} new layers of ${layerBytes / 1e6} MB`,
    rounds,
    measure: (site, round) => {
      const repository = `cloud/push-${site.id}-${round}`;
      return eachImage(images, (n) => {
        const layers = Array.from({ length: imageLayers }, () => randomBlob(layerBytes));
        return pushNewImage(site, repository, imageOf(layers, `v${n}`));
      });
    },
  };
}

/** Answers how long it took, as `mountImage` does. */
export function pushNewImage(site: Site, repository: string, image: Image): Promise<number> {
  const { layers, config } = image;
  const bodies = new Map([...layers, config].map((blob) => [blob, chunkedBlob(blob)]));
  return pushImage(site, repository, image, (session, blob) =>
    pushLayer(session, blob, bodies.get(blob) ?? chunkedBlob(blob)),
  );
}

export function mountImage(site: Site, repository: string, image: Image, from: string): Promise<number> {
  return pushImage(site, repository, image, (session, blob) =>
    blob === image.config ? pushLayer(session, blob, chunkedBlob(blob)) : mount(session, blob, from),
  );
}

export function pushMounted({ imageLayers, images, rounds }: CloudScale): Row {
  const base = 'cloud/base';
  const layers = Array.from({ length: imageLayers }, () => randomBlob(100_000));
  return {
    title: `push of an image with ${imageLayers} layers that are all mounted`,
    rounds,
    prepare: oncePerFamily((site) => pushBlobs(site, base, layers)),
    measure: (site, round) =>
      eachImage(images, (n) =>
        mountImage(site, `cloud/mounted-${site.id}-${round}-${n}`, imageOf(layers, 'v1'), base),
      ),
  };
}

async function eachImage(count: number, push: (n: number) => Promise<number>) {
  const samples: number[] = [];
  for (let n = 0; n < count; n += 1) samples.push(await push(n));
  return { samples };
}

export interface Image {
  readonly layers: readonly Blob[];
  readonly config: Blob;
  readonly manifest: Buffer;
  readonly tag: string;
}

/** With a config of its own. */
export function imageOf(layers: readonly Blob[], tag: string): Image {
  const config = randomBlob(4000);
  return { layers, config, manifest: manifestOf(config, layers, tag), tag };
}

function pushImage(
  { target }: Site,
  repository: string,
  { layers, config, manifest, tag }: Image,
  push: (session: Session, blob: Blob) => Promise<unknown>,
): Promise<number> {
  return withConnections(target, CONCURRENT_UPLOADS, (connections) =>
    timed(async () => {
      const sessions = connections.map((connection) => ({ target, connection, repository }));
      const waiting = layers.values();
      const workers = sessions.map(async (session) => {
        for (const layer of waiting) await push(session, layer);
      });
      await Promise.all(workers);
      const [session] = sessions as [Session];
      await push(session, config);
      await pushManifest(session, tag, manifest);
    }),
  );
}

async function pushLayer(session: Session, blob: Blob, body: Body): Promise<void> {
  const path = `/v2/${session.repository}/blobs/${blob.digest}`;
  await ask(session, { method: 'HEAD', path }, 404);
  await pushBlobByPatch(session, blob, body);
  await ask(session, { method: 'HEAD', path }, 200, 307);
}

async function mount(session: Session, { digest }: Blob, from: string): Promise<void> {
  const { repository } = session;
  await ask(session, { method: 'HEAD', path: `/v2/${repository}/blobs/${digest}` }, 404);
  const path = `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`;
  await ask(session, { method: 'POST', path }, 201);
}

/** What a client waits for when all bytes of a layer are sent: the PUT that names the digest. */
export function commit({ largeLayerBytes, rounds }: CloudScale): Row {
  return {
    title: `commit of a layer of ${largeLayerBytes / 1024 ** 2} MiB: the PUT after its last byte`,
    goal: 10,
    rounds,
    warmUp: warmUpLarge,
    measure: (site) => sendLarge(site, randomBlob(largeLayerBytes), 'commit'),
  };
}

const PAST_LAMBDA =
  'on Lambda large layers do not come through the registry: its front door sends them to S3, or to a Node host';

export function stream({ largeLayerBytes, rounds }: CloudScale): Row {
  return {
    title: `PATCH of a layer of ${largeLayerBytes / 1024 ** 2} MiB`,
    rounds,
    warmUp: warmUpLarge,
    measure: async (site) => {
      if (site.chunkBytes < largeLayerBytes) return { samples: [], note: PAST_LAMBDA };
      return sendLarge(site, randomBlob(largeLayerBytes), 'stream');
    },
  };
}

/** So small that it costs little, and in as many parts that all code runs that a large one needs. */
const WARM_UP_BYTES = 64 * 1024 ** 2;

async function warmUpLarge(site: Site): Promise<void> {
  for (let n = 0; n < 3; n += 1) await sendLarge(site, randomBlob(WARM_UP_BYTES), 'commit');
}

/** Sends it in one PATCH, or in as many as the registry needs, and measures one of the two steps. */
function sendLarge(site: Site, blob: Blob, step: 'stream' | 'commit') {
  const { target, stores } = site;
  const repository = `cloud/large-${site.id}`;
  return withConnection(target, async (connection) => {
    const session = { target, connection, repository };
    await pushBlobByPut(session, randomBlob(1000)); // makes the repository
    let path = locationOf(
      await ask(session, { method: 'POST', path: `/v2/${repository}/blobs/uploads/` }, 202),
    );
    await stores.move('far');
    const streamed = await timed(async () => {
      for (const body of chunksOf(blob, site.chunkBytes)) {
        const patched = await ask(session, { method: 'PATCH', path, headers: [OCTETS], body }, 202);
        path = locationOf(patched);
      }
    });
    const note = site.chunkBytes < blob.size ? `${site.name}: in chunks of 4 MiB` : undefined;
    if (step === 'commit') await stores.move('far');
    const closing = `${path}${path.includes('?') ? '&' : '?'}digest=${encodeURIComponent(blob.digest)}`;
    const counted = step === 'stream' ? await stores.move('far') : undefined;
    // The stores are on this machine's disk, which is still busy with the layer; AWS's are not.
    await settleDisk();
    const committed = await timed(() => ask(session, { method: 'PUT', path: closing }, 201));
    const calls = counted ?? (await stores.move('far'));
    return { samples: [step === 'stream' ? streamed : committed], calls, ...(note && { note }) };
  });
}

/** Without a length each, as Docker sends a layer. */
function* chunksOf({ block, repeat, size }: Blob, most: number): Generator<Body> {
  if (size <= most) {
    yield chunkedBody(block, repeat);
    return;
  }
  for (let n = 0; n < repeat; n += 1)
    for (let at = 0; at < block.length; at += most) yield chunkedBody(block.subarray(at, at + most));
}

function locationOf(reply: Reply): string {
  const { pathname, search } = new URL(header(reply, 'location') ?? '', 'http://registry');
  return `${pathname}${search}`;
}
