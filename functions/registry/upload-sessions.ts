import { OUTBOX_DELAY_SECONDS, UPLOAD_EXPIRY_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import { uploadUnknown } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { ObjectKey, StoredObject, Upload } from '../storage/blob-store.ts';
import { type Attributes, equals, MAX_OPERATIONS, type Operation } from '../storage/table.ts';
import { lastPartOf, policiesKey, uploadDueIn, uploadEntryKey, uploadKey, uploadsOf } from './keys.ts';
import { countsBytes } from './meters.ts';
import { discard } from './outbox.ts';
import { type Rules, rulesIn } from './policies.ts';
import type { Registry } from './registry.ts';

/** An upload that is neither finished nor cancelled. */
export interface UploadSession {
  readonly id: string;
  readonly repository: RepositoryName;
  readonly upload: Upload;
  /** Who opened it; nobody else may write to it. */
  readonly by?: string;
  /** Whether quotas count its bytes, in a hold. */
  readonly held?: boolean;
  /** Whether this request is one of the hold's writers. */
  readonly writes?: boolean;
  /** What a client may send to the store itself, where quotas count it. @default whatever the store takes */
  readonly direct?: DirectRoom;
  /** Milliseconds; from then on the session is unknown, and a day later the outbox deletes the object. */
  readonly due: number;
}

export interface DirectRoom {
  /** Bytes. */
  readonly most: number;
  /** Milliseconds since 1970: until then the store may be told to take them. */
  readonly until: number;
}

/** A session, and what holds for its repository. */
export interface RuledSession extends UploadSession {
  readonly rules: Rules;
}

/** The session as it stands; BLOB_UPLOAD_UNKNOWN where it is finished, cancelled, expired or another
 *  repository's. */
export async function requireUpload(
  registry: Registry,
  repository: RepositoryName,
  id: string,
): Promise<RuledSession> {
  const { found, rules } = await readSession(registry, repository, id);
  return sessionOf(registry, repository, id, found, rules);
}

/** The item of a session, and what holds for the repository. */
export async function readSession({ table }: Registry, repository: RepositoryName, id: string) {
  const [found, policies] = await table.getMany([uploadKey(id), policiesKey]);
  return { found, rules: rulesIn(policies, repository) };
}

/** The session, whichever repository's it is; `undefined` where it is finished, cancelled, expired or not the caller's. */
export async function findUpload(registry: Registry, id: string): Promise<UploadSession | undefined> {
  const found = await registry.table.get(uploadKey(id));
  return openSession(registry, found?.['repository'] as RepositoryName, id, found);
}

/** The caller's uploads into the repository that were opened after `since` (milliseconds) and have not ended; the
 *  newest first, 100 at most. */
export async function uploadsSince(
  registry: Registry,
  repository: RepositoryName,
  since: number,
): Promise<UploadSession[]> {
  const range = { ...uploadsOf(repository, registry.actor), limit: MAX_OPERATIONS, keysOnly: true };
  const entries = await registry.table.query({ ...range, direction: 'descending' });
  const recent = entries.filter((entry) => uploadDueIn(entry) > since + UPLOAD_EXPIRY_SECONDS * 1000);
  if (recent.length === 0) return [];
  const ids = recent.map(lastPartOf);
  const found = await registry.table.getMany(ids.map(uploadKey));
  return ids.flatMap((id, index) => openSession(registry, repository, id, found[index]) ?? []);
}

/** A day after the session has ended by its age: a request that has found it open before may still write, and bytes that
 *  come after the delete would stay for ever. */
export const bytesDue = (due: number) => due + OUTBOX_DELAY_SECONDS * 1000;

/** A day later, when no token is alive by which the store takes bytes under this key: what is written there after the
 *  delete would stay for ever. `digest` is that of its bytes, where they are whole. */
export function discardLater(
  { now }: Registry,
  { due }: UploadSession,
  { objectKey }: Pick<StoredObject, 'objectKey'>,
  digest?: Digest,
): Operation {
  const later = now() + OUTBOX_DELAY_SECONDS * 1000;
  // The same write takes the session's own entry off the list: it must not be the same item.
  return discard(objectKey, later === bytesDue(due) ? later + 1 : later, digest);
}

export const entryKey = ({ repository, by, due, id }: UploadSession) =>
  uploadEntryKey(repository, by, due, id);

export const unchanged = ({ upload }: UploadSession) => [
  equals('objectKey', upload.objectKey),
  equals('offset', upload.offset),
];

export async function isUnchanged({ table }: Registry, { id, upload }: UploadSession): Promise<boolean> {
  const found = await table.get(uploadKey(id));
  return found?.['objectKey'] === upload.objectKey && found['offset'] === upload.offset;
}

export function attributesOf({ repository, upload, due, by, direct, held }: UploadSession): Attributes {
  return {
    ...{ repository, ...upload, due, expiresAt: seconds(due) },
    ...(by !== undefined && { by }),
    ...(direct && { direct: { ...direct } }),
    ...(held && { held }),
  };
}

export function sessionOf(
  registry: Registry,
  repository: RepositoryName,
  id: string,
  found: Attributes | undefined,
  rules: Rules,
): RuledSession {
  const session = openSession(registry, repository, id, found);
  if (!session) throw uploadUnknown(repository);
  // One that was opened when nothing counted its bytes has promised the store nothing that is counted.
  const direct = session.direct ?? (countsBytes(rules) ? NO_ROOM : undefined);
  return { ...session, rules, ...(direct && { direct }) };
}

function openSession(
  { now, actor }: Registry,
  repository: RepositoryName,
  id: string,
  found: Attributes | undefined,
): UploadSession | undefined {
  const due = found?.['due'] as number | undefined; // a finished session has none
  if (found?.['repository'] !== repository || due === undefined || due <= now()) return undefined;
  const by = found['by'] as string | undefined;
  if (actor !== undefined && by !== actor) return undefined;
  const upload: Upload = {
    objectKey: found['objectKey'] as ObjectKey,
    offset: found['offset'] as number,
    state: found['state'] as Attributes,
    ...(found['sealed'] !== undefined && { sealed: found['sealed'] as Digest }),
  };
  const direct = found['direct'] as unknown as DirectRoom | undefined;
  return {
    ...{ id, repository, upload, due, held: found['held'] === true },
    ...(by !== undefined && { by }),
    ...(direct && { direct }),
  };
}

export const NO_ROOM: DirectRoom = { most: 0, until: Number.MAX_SAFE_INTEGER };

export const seconds = (milliseconds: number) => Math.floor(milliseconds / 1000);
