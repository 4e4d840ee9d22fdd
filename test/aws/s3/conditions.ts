import { type Call, header } from './call.ts';
import {
  conditionalRequestConflict,
  noSuchKey,
  notImplemented,
  preconditionFailed,
  S3Error,
} from './s3-error.ts';
import type { Store, StoredObject } from './store.ts';

/** Whether a list of ETags, in quotes or not, names this one. */
function names(list: string, object: StoredObject): boolean {
  const eTags = list.split(',').map((eTag) => eTag.trim().replace(/^(?:W\/)?"?|"$/g, ''));
  return eTags.includes('*') || eTags.includes(object.eTag);
}

/** Of a write that begins now. What it answers is called in the same step as the change: of two that race, the first to
 *  finish wins, the other finds its object (412). Where that is deleted again before the other has finished, there is a
 *  conflict (409), to be tried again.
 *  https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response */
export function writeConditions(call: Call, store: Store): () => void {
  const deletions = store.deletions(call.key);
  return () => {
    requireConditions(call, store.get(call.key));
    const isFirst = header(call, 'if-none-match') !== undefined;
    if (isFirst && store.deletions(call.key) !== deletions) throw conditionalRequestConflict();
  };
}

/** Of a write or a deletion, as things are. */
export function requireConditions(call: Call, current: StoredObject | undefined): void {
  const ifNoneMatch = header(call, 'if-none-match');
  const ifMatch = header(call, 'if-match');
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') throw notImplemented('If-None-Match');
  if (ifNoneMatch !== undefined && current) throw preconditionFailed('If-None-Match');
  if (ifMatch === undefined) return;
  if (!current) throw noSuchKey(call.key);
  if (!names(ifMatch, current)) throw preconditionFailed('If-Match');
}

/** Of GET and HEAD; a date counts only without its ETag. */
export function requireReadConditions(call: Call, object: StoredObject): void {
  const seconds = Math.floor(object.modified / 1000) * 1000;
  const [ifMatch, ifNoneMatch] = [header(call, 'if-match'), header(call, 'if-none-match')];
  if (ifMatch !== undefined) {
    if (!names(ifMatch, object)) throw preconditionFailed('If-Match');
  } else if (seconds > date(call, 'if-unmodified-since')) throw preconditionFailed('If-Unmodified-Since');
  const unmodified =
    ifNoneMatch === undefined ? seconds <= date(call, 'if-modified-since') : names(ifNoneMatch, object);
  if (unmodified) throw new S3Error('NotModified', 'Not Modified', { ETag: object.eTag });
}

/** NaN, to which nothing compares, without a valid one. */
const date = (call: Call, name: string) => Date.parse(header(call, name) ?? '');
