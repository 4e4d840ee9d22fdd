import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import { sizeText } from '../text.ts';
import type { Deployment } from './deployment.ts';
import { PUT_FAMILIES } from './families.ts';
import { notHere } from './finding.ts';
import { headOf } from './head.ts';
import type { Answer, Headers } from './http.ts';
import { Noise } from './noise.ts';
import { describe } from './tokens.ts';

/** Above what the front door takes inline (4 MiB), so this is the smallest body that goes its own way. */
export const DIRECT_BYTES = 5 * 1024 * 1024;
export const SMALL_BYTES = 2000;

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

const OCTETS: Headers = { 'Content-Type': 'application/octet-stream' };

/** An upload's Location with something added to its query, as clients add the digest. */
export function withQuery(location: string, ...parameters: readonly (readonly [string, string])[]): string {
  const added = parameters.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  return `${location}${location.includes('?') ? '&' : '?'}${added}`;
}

interface Put {
  /** @default a fresh upload */
  readonly location?: string;
  /** @default the right one */
  readonly digest?: Digest;
  readonly headers?: Headers;
}

/** Sends a whole blob in one PUT, as containerd and oras do. */
export async function putBlob(deployment: Deployment, content: Noise, put: Put = {}): Promise<Answer> {
  const { location = await deployment.startUpload(), digest = content.digest, headers } = put;
  return deployment.call('PUT', withQuery(location, ['digest', digest]), {
    headers: { ...OCTETS, ...headers },
    body: { chunks: content.pieces(), length: content.length },
    listens: content.length >= DIRECT_BYTES,
  });
}

/** A PUT that says how long its body is, and waits for the refusal with no body sent. */
export function announcePut(
  deployment: Deployment,
  target: string,
  length: number,
  headers: Headers = {},
): Promise<Answer> {
  const body = { length };
  return deployment.call('PUT', target, {
    headers: { ...OCTETS, ...headers },
    body,
    patienceMs: deployment.options.patienceMs,
  });
}

/** Keeps what became of a PUT for the summary. */
export function recordPut({ attempts }: Deployment, bytes: number, answer: Answer): void {
  const isTaken = answer.status === 201;
  const says = isTaken ? {} : { says: describe(answer) };
  attempts.push({ way: 'PUT', families: PUT_FAMILIES, bytes, isTaken, ...says });
}

/** A small blob that can be read, which ends a probe where it could not be pushed. */
export async function pushSmall(deployment: Deployment): Promise<Noise> {
  const content = new Noise(SMALL_BYTES);
  const answer = await putBlob(deployment, content);
  if (answer.status === 201) return content;
  throw notHere(`it needs a small blob, whose PUT was answered ${describe(answer)}`);
}

/** A blob of 5 MB that can be read; pushed once for all probes that only look at it. */
export function sharedLayer(deployment: Deployment): Promise<Noise> {
  return deployment.once('layer', async () => {
    const content = new Noise(DIRECT_BYTES);
    const answer = await putBlob(deployment, content);
    const head = await headOf(deployment, `blobs/${content.digest}`);
    if (answer.status === 201 && head.status === 200) return content;
    const why = `its PUT was answered ${describe(answer)} and HEAD after it ${head.status}`;
    throw notHere(`it needs a blob of ${sizeText(DIRECT_BYTES)}: ${why}`);
  });
}

export interface PushedImage {
  readonly digest: Digest;
  readonly tag: string;
  readonly bytes: Buffer;
  readonly answer: Answer;
}

/** Puts a manifest that refers to these blobs, the first as its config, and tags it. */
export async function putManifest(
  deployment: Deployment,
  [config, ...layers]: readonly [Noise, ...Noise[]],
  tag: string,
): Promise<PushedImage> {
  const describeBlob = (mediaType: string, { digest, length }: Noise) => ({
    mediaType,
    digest,
    size: length,
  });
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: describeBlob('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((layer) => describeBlob('application/vnd.oci.image.layer.v1.tar', layer)),
    }),
  );
  const answer = await deployment.call('PUT', deployment.path(`manifests/${tag}`), {
    headers: { 'Content-Type': OCI_MANIFEST },
    body: { chunks: [bytes], length: bytes.length },
  });
  return { digest: digestOf('sha256', bytes), tag, bytes, answer };
}

/** A small image that can be pulled, made of blobs of its own. */
export async function pushImage(
  deployment: Deployment,
  tag: string,
): Promise<PushedImage & { config: Noise }> {
  const config = await pushSmall(deployment);
  const image = await putManifest(deployment, [config], tag);
  if (image.answer.status === 201) return { ...image, config };
  throw notHere(`it needs an image, whose manifest was answered ${describe(image.answer)}`);
}
