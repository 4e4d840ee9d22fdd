import { type Blob, MANIFEST_TYPE } from './content.ts';
import { type Body, chunkedBody, wholeBody } from './http/body.ts';
import type { Connection } from './http/connection.ts';
import { header, type Reply } from './http/reply-parser.ts';
import { type PreparedRequest, prepare, type RequestParts, type Target } from './http/request.ts';

const OCTETS = 'Content-Type: application/octet-stream';

/** A repository on one of the two servers, over one connection. */
export interface Session {
  readonly target: Target;
  readonly connection: Connection;
  readonly repository: string;
}

/** Fails the run on any other status: a workload that is refused is not faster. */
export async function expectReply(
  connection: Connection,
  request: PreparedRequest,
  status: number,
): Promise<Reply> {
  const reply = await connection.send(request);
  if (reply.status !== status) {
    const answer = `${reply.head}\n\n${reply.body.toString().slice(0, 500)}`;
    throw new Error(`${request.method} ${request.path}: expected ${status}, got:\n${answer}`);
  }
  return reply;
}

function call(session: Session, parts: RequestParts, status: number): Promise<Reply> {
  return expectReply(session.connection, prepare(session.target, parts), status);
}

/** POST and PUT with the whole blob and its length: containerd, BuildKit, ORAS, Helm. */
export async function pushBlobByPut(session: Session, blob: Blob, body = wholeBlob(blob)): Promise<void> {
  const path = withDigest(await startUpload(session), blob);
  await call(session, { method: 'PUT', path, headers: [OCTETS], body }, 201);
}

/** POST, PATCH with the whole blob in chunks and no length, empty PUT: Docker's own store, podman. */
export async function pushBlobByPatch(session: Session, blob: Blob, body: Body): Promise<void> {
  const path = await startUpload(session);
  const patched = await call(session, { method: 'PATCH', path, headers: [OCTETS], body }, 202);
  await call(session, { method: 'PUT', path: withDigest(locationOf(patched), blob) }, 201);
}

/** `expected` is 404 before a push and 200 after it. */
export async function headBlob(session: Session, blob: Blob, expected: 200 | 404): Promise<void> {
  await call(session, { method: 'HEAD', path: blobPath(session.repository, blob) }, expected);
}

export async function pushManifest(session: Session, tag: string, manifest: Buffer): Promise<void> {
  const { target, connection, repository } = session;
  await expectReply(connection, putManifest(target, repository, tag, manifest), 201);
}

/** The request of `pushManifest`, for those that build requests before the clock starts. */
export function putManifest(
  target: Target,
  repository: string,
  tag: string,
  manifest: Buffer,
): PreparedRequest {
  return prepare(target, {
    method: 'PUT',
    path: `/v2/${repository}/manifests/${tag}`,
    headers: [`Content-Type: ${MANIFEST_TYPE}`],
    body: wholeBody(manifest),
  });
}

export function blobPath(repository: string, { digest }: Blob): string {
  return `/v2/${repository}/blobs/${digest}`;
}

export function wholeBlob({ block, repeat }: Blob): Body {
  return wholeBody(block, repeat);
}

export function chunkedBlob({ block, repeat }: Blob): Body {
  return chunkedBody(block, repeat);
}

/** Opens an upload; where it lies. */
export async function startUpload(session: Session): Promise<string> {
  const path = `/v2/${session.repository}/blobs/uploads/`;
  return locationOf(await call(session, { method: 'POST', path }, 202));
}

/** Path and query of `Location`, which one server sends relative and the other absolute. */
function locationOf(reply: Reply): string {
  const location = header(reply, 'location');
  if (location === undefined) {
    throw new Error(`no Location in: ${reply.head}`);
  }
  const { pathname, search } = new URL(location, 'http://registry');
  return `${pathname}${search}`;
}

function withDigest(path: string, { digest }: Blob): string {
  return `${path}${path.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
}
