import { randomBytes } from 'node:crypto';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';

/** Sends a blob whole, and answers its status and digest. */
export async function pushBlob(url: string, repository: string, bytes: Buffer = randomBytes(1000)) {
  const digest = digestOf('sha256', bytes);
  const opened = await openUpload(url, repository);
  if (opened.status !== 202) return { digest, status: opened.status };
  const location = `${url}${opened.headers.get('location')}?digest=${digest}`;
  const { status } = await fetch(location, { method: 'PUT', body: new Uint8Array(bytes) });
  return { digest, status };
}

export const openUpload = (url: string, repository: string): Promise<Response> =>
  fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });

export const deleteBlob = (url: string, repository: string, digest: Digest): Promise<Response> =>
  fetch(`${url}/v2/${repository}/blobs/${digest}`, { method: 'DELETE' });

/** The blob's bytes, or the status of what was answered instead. */
export async function pullBlob(url: string, repository: string, digest: Digest): Promise<Buffer | number> {
  const response = await fetch(`${url}/v2/${repository}/blobs/${digest}`);
  return response.ok ? Buffer.from(await response.arrayBuffer()) : response.status;
}

/** Pushes an image of one config under the tag. */
export async function pushImage(url: string, repository: string, tag: string) {
  const bytes = randomBytes(100);
  const config = await pushBlob(url, repository, bytes);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/octet-stream', digest: config.digest, size: bytes.length },
    layers: [],
  });
  const response = await fetch(`${url}/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    body: manifest,
    headers: { 'Content-Type': mediaType },
  });
  return {
    status: response.status,
    digest: digestOf('sha256', Buffer.from(manifest)),
    config: config.digest,
  };
}
