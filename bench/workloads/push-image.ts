import { type Blob, manifestOf, randomBlob } from '../content.ts';
import type { Body } from '../http/body.ts';
import { type Connection, withConnections } from '../http/connection.ts';
import type { Target } from '../http/request.ts';
import { chunkedBlob, headBlob, pushBlobByPatch, pushManifest, type Session } from '../registry-calls.ts';
import type { Scale } from '../scale.ts';
import { FSYNCS_OF_A_PATCH } from './figures.ts';
import type { Demand, Workload } from './workload.ts';

const REPOSITORY = 'bench/push-image';
const CONFIG_BYTES = 4000;
/** Docker's default `max-concurrent-uploads`. */
const CONCURRENT_UPLOADS = 5;

interface Upload {
  readonly blob: Blob;
  readonly body: Body;
}

interface Image {
  readonly layers: readonly Upload[];
  readonly config: Upload;
  readonly tag: string;
  readonly manifest: Buffer;
}

/** A new image, as `docker push` sends it: layers five at a time, then config, then manifest. */
export function pushImage({ imageLayers, layerBytes, rounds }: Scale): Workload {
  return {
    title: `push an image with ${imageLayers} layers of ${layerBytes / 1e6} MB, ${CONCURRENT_UPLOADS} at a time`,
    figure: { unit: 's', of: (seconds) => seconds },
    rounds,
    demand: demandOf(imageLayers, layerBytes),
    makeRound: (label) => {
      const image = randomImage(label, imageLayers, layerBytes);
      return (target, measure) =>
        withConnections(target, CONCURRENT_UPLOADS, (connections) =>
          measure(() => push(target, connections, image)),
        );
    },
  };
}

/** A layer is five requests, and the config; the manifest is one more, and two fsyncs. */
function demandOf(imageLayers: number, layerBytes: number): Demand {
  const bytes = imageLayers * layerBytes;
  const waits = Math.ceil(imageLayers / CONCURRENT_UPLOADS) + 1;
  return {
    storedBytes: bytes,
    hashedBytes: bytes,
    receivedBytes: bytes,
    requests: (imageLayers + 1) * 5 + 1,
    fsyncs: waits * FSYNCS_OF_A_PATCH + 2,
  };
}

function randomImage(tag: string, layerCount: number, layerBytes: number): Image {
  const layers = Array.from({ length: layerCount }, () => randomUpload(layerBytes));
  const config = randomUpload(CONFIG_BYTES);
  const blobs = layers.map(({ blob }) => blob);
  return { layers, config, tag, manifest: manifestOf(config.blob, blobs, tag) };
}

function randomUpload(bytes: number): Upload {
  const blob = randomBlob(bytes);
  return { blob, body: chunkedBlob(blob) };
}

async function push(target: Target, connections: readonly Connection[], image: Image): Promise<void> {
  const sessions = connections.map((connection) => ({ target, connection, repository: REPOSITORY }));
  const waiting = image.layers.values();
  await Promise.all(sessions.map((session) => pushAll(session, waiting)));
  for (const session of sessions.slice(0, 1)) {
    await pushBlob(session, image.config);
    await pushManifest(session, image.tag, image.manifest);
  }
}

/** Takes from `waiting`, which the other sessions share, until nothing is left. */
async function pushAll(session: Session, waiting: Iterable<Upload>): Promise<void> {
  for (const upload of waiting) {
    await pushBlob(session, upload);
  }
}

async function pushBlob(session: Session, { blob, body }: Upload): Promise<void> {
  await headBlob(session, blob, 404);
  await pushBlobByPatch(session, blob, body);
  await headBlob(session, blob, 200);
}
