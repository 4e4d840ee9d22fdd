import { type Blob, MANIFEST_TYPE } from '../content.ts';
import { wholeBody } from '../http/body.ts';
import { type Connection, withConnections } from '../http/connection.ts';
import { header, type Reply } from '../http/reply-parser.ts';
import { prepare, type RequestParts } from '../http/request.ts';
import { pushBlobByPut, pushManifest, type Session } from '../registry-calls.ts';
import type { Site } from './sites.ts';

/** What clients of today accept, and a manifest is asked for with. */
const ACCEPT = [
  MANIFEST_TYPE,
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].map((type) => `Accept: ${type}`);

/** How many connections fill a registry before something is measured. */
const FILLERS = 24;

/** Sends a request and fails on any other status than those. */
export async function ask(
  { target, connection }: Pick<Session, 'target' | 'connection'>,
  parts: RequestParts,
  ...statuses: readonly number[]
): Promise<Reply> {
  const reply = await connection.send(prepare(target, parts));
  if (statuses.includes(reply.status)) return reply;
  const answer = `${reply.head}\n\n${reply.body.toString().slice(0, 500)}`;
  throw new Error(`${parts.method} ${parts.path}: expected ${statuses.join(' or ')}, got:\n${answer}`);
}

export const getManifest = (session: Session, reference: string) =>
  ask(
    session,
    { method: 'GET', path: `/v2/${session.repository}/manifests/${reference}`, headers: ACCEPT },
    200,
  );

export const putManifestByDigest = (session: Session, digest: string, bytes: Buffer, type = MANIFEST_TYPE) =>
  ask(
    session,
    {
      method: 'PUT',
      path: `/v2/${session.repository}/manifests/${digest}`,
      headers: [`Content-Type: ${type}`],
      body: wholeBody(bytes),
    },
    201,
  );

/** All pages of a list, as the registry cuts them; answers what `read` finds in them. */
export async function readList<T>(
  connection: Pick<Session, 'target' | 'connection'>,
  path: string,
  read: (body: string) => readonly T[],
): Promise<T[]> {
  const entries: T[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const page = await ask(connection, { method: 'GET', path: next, keep: true }, 200);
    entries.push(...read(page.body.toString()));
    next = nextOf(page, next);
  }
  return entries;
}

function nextOf(page: Reply, path: string): string | undefined {
  const link = /<([^>]+)>; *rel="?next"?/.exec(header(page, 'link') ?? '')?.[1];
  if (link === undefined) return undefined;
  const { pathname, search } = new URL(link, `http://registry${path}`);
  return `${pathname}${search}`;
}

/** Works on every item, on many connections at once. */
export function fill<T>(
  site: Site,
  items: Iterable<T>,
  work: (connection: Connection, item: T) => Promise<unknown>,
): Promise<void> {
  const waiting = items[Symbol.iterator]();
  return withConnections(site.target, FILLERS, async (connections) => {
    const workers = connections.map(async (connection) => {
      for (let next = waiting.next(); next.done !== true; next = waiting.next())
        await work(connection, next.value);
    });
    await Promise.all(workers);
  });
}

/** Pushes blobs into one repository. */
export function pushBlobs(site: Site, repository: string, blobs: Iterable<Blob>): Promise<void> {
  const { target } = site;
  return fill(site, blobs, (connection, blob) => pushBlobByPut({ target, connection, repository }, blob));
}

export interface Tagged {
  readonly repository: string;
  readonly tag: string;
  readonly manifest: Buffer;
}

/** Pushes manifests whose blobs are there. */
export function pushManifests(site: Site, manifests: Iterable<Tagged>): Promise<void> {
  const { target } = site;
  return fill(site, manifests, (connection, { repository, tag, manifest }) =>
    pushManifest({ target, connection, repository }, tag, manifest),
  );
}
