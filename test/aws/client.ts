import { randomBytes } from 'node:crypto';
import type { App } from '../../functions/app.ts';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** The registry answered otherwise than a client can go on with. */
export class Refused extends Error {
  readonly status: number;

  constructor(call: string, { status }: Response) {
    super(`${call} was answered ${status}`);
    this.status = status;
  }
}

export interface Image {
  readonly tag: string;
  readonly config: Uint8Array<ArrayBuffer>;
  readonly layers: readonly Uint8Array<ArrayBuffer>[];
}

export const newImage = (layers: number, layerBytes: number): Image => ({
  tag: 'v1',
  config: randomBytes(200) as Uint8Array<ArrayBuffer>,
  layers: Array.from({ length: layers }, () => randomBytes(layerBytes) as Uint8Array<ArrayBuffer>),
});

/** Sends one request and insists on its status. */
export async function send(
  app: App,
  call: string,
  status: number,
  init: RequestInit = {},
): Promise<Response> {
  const [method = '', path = ''] = call.split(' ');
  const response = await app(new Request(`http://registry.test${path}`, { ...init, method }));
  if (response.status !== status) throw new Refused(call, response);
  return response;
}

/** Pushes as clients do: each layer in two chunks of different sizes, the config in one PUT, then the manifest. */
export async function pushImage(app: App, repository: string, image: Image): Promise<void> {
  for (const layer of image.layers) await pushChunks(app, repository, layer);
  await pushWhole(app, repository, image.config);
  const headers = { 'Content-Type': MANIFEST_TYPE };
  await send(app, `PUT /v2/${repository}/manifests/${image.tag}`, 201, { body: manifestOf(image), headers });
}

async function pushChunks(app: App, repository: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  let { location } = await openUpload(app, repository);
  const cut = Math.ceil(bytes.length * 0.7);
  for (const body of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
    const answer = await send(app, `PATCH ${location}`, 202, { body });
    location = answer.headers.get('location') ?? '';
  }
  await send(app, `PUT ${location}?digest=${sha256(bytes)}`, 201);
}

async function pushWhole(app: App, repository: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const { location } = await openUpload(app, repository);
  await send(app, `PUT ${location}?digest=${sha256(body)}`, 201, { body });
}

export async function openUpload(app: App, repository: string): Promise<{ location: string }> {
  const { headers } = await send(app, `POST /v2/${repository}/blobs/uploads/`, 202);
  return { location: headers.get('location') ?? '' };
}

/** Pulls by tag, follows redirects, and fails where any byte is another than was pushed. */
export async function pullImage(app: App, repository: string, image: Image): Promise<void> {
  const manifest = await send(app, `GET /v2/${repository}/manifests/${image.tag}`, 200);
  if ((await manifest.text()) !== manifestOf(image)) throw new Error('another manifest than was pushed');
  for (const bytes of [image.config, ...image.layers]) {
    const pulled = await pullBlob(app, repository, sha256(bytes));
    if (!Buffer.from(pulled).equals(bytes)) throw new Error('other bytes than were pushed');
  }
}

export async function pullBlob(app: App, repository: string, digest: Digest): Promise<Uint8Array> {
  const call = `GET /v2/${repository}/blobs/${digest}`;
  const response = await app(new Request(`http://registry.test${call.split(' ')[1]}`));
  const location = response.headers.get('location');
  const answer = response.status === 307 && location ? await fetch(location) : response;
  if (!answer.ok) throw new Refused(call, answer);
  return answer.bytes();
}

export function manifestOf({ config, layers }: Image): string {
  const describe = (bytes: Uint8Array, mediaType: string) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  });
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: describe(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((bytes) => describe(bytes, 'application/vnd.oci.image.layer.v1.tar')),
  });
}

export const sha256 = (bytes: Uint8Array) => digestOf('sha256', bytes);
