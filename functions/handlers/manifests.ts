import { may } from '../auth/access.ts';
import { readAtMost } from '../http/body.ts';
import { isKnown, requireMatch } from '../http/conditional.ts';
import { MAX_MANIFEST_BYTES, MAX_TAGS_PER_PUT } from '../limits.ts';
import { manifestTooLarge, referenceInvalid, tooManyTags } from '../oci/errors.ts';
import { parseTag, type Tag } from '../oci/reference.ts';
import { deleteManifest } from '../registry/manifest-deletion.ts';
import { putManifest } from '../registry/manifest-push.ts';
import {
  readManifest,
  readManifestForPush,
  requireManifest,
  requireManifestForPush,
  requireTaggedForPush,
} from '../registry/manifests.ts';
import { recordPull, recordPullOf } from '../registry/pulls.ts';
import { deleteTag } from '../registry/tags.ts';
import { type Call, referenceOf, repositoryOf } from './call.ts';

/** `GET` and `HEAD /v2/<name>/manifests/<tag-or-digest>` (end-3). HEAD is answered with the body of GET, which hosts
 *  leave out: a gateway that recomputes Content-Length then comes to the true one. */
export async function getManifest(call: Call): Promise<Response> {
  const pulled = [call.registry, repositoryOf(call), referenceOf(call)] as const;
  if (call.request.method === 'GET') return recordPullOf(...pulled, () => answerPull(call));
  // A push asks by HEAD for the tag that it is about to make, so here there is often nothing to record.
  const answer = await answerPull(call);
  await recordPull(...pulled);
  return answer;
}

/** Clients ask by HEAD whether an index still lacks a child. Told to a caller who may push, "exists" is a promise, as it is
 *  of a blob. */
async function answerPull(call: Call): Promise<Response> {
  const { caller, registry, request } = call;
  const [repository, reference] = [repositoryOf(call), referenceOf(call)];
  const isPromise = request.method === 'HEAD' && (await may(caller, 'push', repository));
  const [find, read] = isPromise ? [findForPush, readManifestForPush] : [requireManifest, readManifest];
  const manifest = await find(registry, repository, reference);
  const identity = { 'Docker-Content-Digest': manifest.digest, ETag: `"${manifest.digest}"` };
  requireMatch(request, identity.ETag);
  if (isKnown(request, identity.ETag)) {
    return new Response(null, { status: 304, headers: identity });
  }
  const headers = {
    ...identity,
    'Content-Type': manifest.mediaType,
    'Content-Length': `${manifest.size}`,
  };
  return new Response(await read(registry, manifest), { headers });
}

const findForPush: typeof requireManifest = (registry, repository, reference) =>
  reference.kind === 'tag'
    ? requireTaggedForPush(registry, repository, reference.tag)
    : requireManifestForPush(registry, repository, reference.digest);

/** `PUT /v2/<name>/manifests/<tag-or-digest>?tag=` (end-7a, 7b). */
export async function putManifestOrTag(call: Call): Promise<Response> {
  const repository = repositoryOf(call);
  const reference = referenceOf(call);
  const tags = tagParameters(call);
  const bytes = await readAtMost(call.request, MAX_MANIFEST_BYTES, call.readings);
  if (!bytes) throw manifestTooLarge(MAX_MANIFEST_BYTES);
  const { digest, subject } = await putManifest(call.registry, {
    repository,
    bytes,
    contentType: call.request.headers.get('content-type') ?? '',
    digest: reference.kind === 'digest' ? reference.digest : undefined,
    tags: reference.kind === 'tag' ? [...new Set([reference.tag, ...tags])] : tags,
  });
  const headers = new Headers({
    Location: `/v2/${repository}/manifests/${digest}`,
    'Docker-Content-Digest': digest,
  });
  if (subject) headers.set('OCI-Subject', subject);
  if (tags.length > 0) headers.set('OCI-Tag', tags.join(', '));
  return new Response(null, { status: 201, headers });
}

/** `DELETE /v2/<name>/manifests/<tag-or-digest>` (end-9). */
export async function deleteManifestOrTag(call: Call): Promise<Response> {
  const repository = repositoryOf(call);
  const reference = referenceOf(call);
  if (reference.kind === 'tag') await deleteTag(call.registry, repository, reference.tag);
  else await deleteManifest(call.registry, repository, reference.digest);
  return new Response(null, { status: 202 });
}

function tagParameters({ query }: Call): Tag[] {
  const given = query.getAll('tag').filter((text) => text !== '');
  const tags = new Set(given.map((text) => parseTag(text) ?? refuseTag(text)));
  // A tag in the path is one more.
  if (tags.size >= MAX_TAGS_PER_PUT + 1) throw tooManyTags(MAX_TAGS_PER_PUT);
  return [...tags];
}

function refuseTag(text: string): never {
  throw referenceInvalid(text.replaceAll(':', '?'));
}
