import { nextLink, pageRequest, single } from '../http/query.ts';
import { MAX_LIST_ENTRIES } from '../limits.ts';
import { OCI_INDEX } from '../oci/media-types.ts';
import { listReferrers } from '../registry/referrers.ts';
import { listRepositories, type RepositoryEntry } from '../registry/repositories.ts';
import { listTags } from '../registry/tags.ts';
import { type Call, digestOf, digestParameter, repositoryOf } from './call.ts';

/** `GET /v2/` (end-1). */
export function ping(): Response {
  return Response.json({});
}

/** `GET /v2/<name>/tags/list` (end-8a, 8b). */
export async function getTags(call: Call): Promise<Response> {
  const name = repositoryOf(call);
  const request = pageRequest(call.query, MAX_LIST_ENTRIES);
  const { entries, next } = await listTags(call.registry, name, request);
  return Response.json({ name, tags: entries }, { headers: linkTo(`/v2/${name}/tags/list`, call, next) });
}

/** `GET /v2/_catalog`, of the Docker registry API: what the caller may pull. */
export async function getCatalog(call: Call): Promise<Response> {
  const request = pageRequest(call.query, MAX_LIST_ENTRIES);
  const authority = await call.caller.authority();
  const isVisible = ({ name, isPublic }: RepositoryEntry) =>
    isPublic || authority?.may('pull', name) === true;
  const { entries, next } = await listRepositories(call.registry, request, isVisible);
  return Response.json({ repositories: entries }, { headers: linkTo('/v2/_catalog', call, next) });
}

/** `GET /v2/<name>/referrers/<digest>` (end-12a, 12b). */
export async function getReferrers(call: Call): Promise<Response> {
  const name = repositoryOf(call);
  const subject = digestOf(call);
  const artifactType = single(call.query, 'artifactType');
  const last = digestParameter(call, 'last');
  const page = await listReferrers(call.registry, {
    name,
    subject,
    ...(artifactType !== undefined && { artifactType }),
    ...(last && { last }),
  });
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: page.descriptors };
  const headers = {
    'Content-Type': OCI_INDEX,
    ...(artifactType !== undefined && { 'OCI-Filters-Applied': 'artifactType' }),
    ...linkTo(`/v2/${name}/referrers/${subject}`, call, page.next),
  };
  return Response.json(index, { headers });
}

const linkTo = (path: string, { query }: Call, next: string | undefined) =>
  next === undefined ? {} : nextLink(path, query, next);
