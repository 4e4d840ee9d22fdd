import type { Need } from './auth/challenge.ts';
import { postPart } from './handlers/announced-uploads.ts';
import { getBlob, headBlob, removeBlob } from './handlers/blobs.ts';
import type { Handler } from './handlers/call.ts';
import { live, ready } from './handlers/health.ts';
import { getCatalog, getReferrers, getTags, ping } from './handlers/listings.ts';
import { deleteManifestOrTag, getManifest, putManifestOrTag } from './handlers/manifests.ts';
import { issueToken, revokeToken } from './handlers/token.ts';
import { deleteUpload, getUpload, patchUpload, postUpload, putUpload } from './handlers/uploads.ts';
import type { Endpoint } from './http/router.ts';
import { MANAGEMENT_ROUTES, OPEN_MANAGEMENT_ROUTES } from './management/routes.ts';

export interface Route extends Endpoint {
  /** What the caller's token must allow; an action is one in the repository of the path. */
  readonly need: Need;
  /** What logs and metrics call it. */
  readonly operation: string;
  readonly handler: Handler;
  /** Of what the audit trail has when it is allowed, too: the status that it usually ends with. Refusals are always in it. */
  readonly audited?: number;
}

const NAME = '/v2/<name>';
const MANIFEST = `${NAME}/manifests/<reference>`;
const BLOB = `${NAME}/blobs/<digest>`;
const UPLOADS = `${NAME}/blobs/uploads/`;
const UPLOAD = `${NAME}/blobs/uploads/<session>`;

/** Every endpoint, with its row in the specification. The first that fits wins.
 *  https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints */
const ROUTES: readonly Route[] = [
  row('GET', '/healthz', 'nothing', 'health', live),
  row('GET', '/readyz', 'nothing', 'ready', ready),
  row('GET', '/v2/', 'token', 'ping', ping), // end-1
  row('GET', '/v2/_catalog', 'catalog', 'catalog.list', getCatalog), // Docker's registry API
  row('POST', UPLOADS, 'push', 'upload.start', postUpload), // end-4a, 4b, 4c, 11
  row('GET', UPLOAD, 'push', 'upload.get', getUpload), // end-13
  row('POST', UPLOAD, 'push', 'upload.part', postPart), // ours
  row('PATCH', UPLOAD, 'push', 'upload.append', patchUpload), // end-5
  row('PUT', UPLOAD, 'push', 'upload.finish', putUpload), // end-6
  row('DELETE', UPLOAD, 'push', 'upload.cancel', deleteUpload), // end-14
  row('GET', BLOB, 'pull', 'blob.get', getBlob), // end-2
  row('HEAD', BLOB, 'pull', 'blob.head', headBlob), // end-2
  audited(row('DELETE', BLOB, 'delete', 'blob.delete', removeBlob), 202), // end-10
  row('GET', MANIFEST, 'pull', 'manifest.get', getManifest), // end-3
  row('HEAD', MANIFEST, 'pull', 'manifest.head', getManifest), // end-3
  audited(row('PUT', MANIFEST, 'push', 'manifest.put', putManifestOrTag), 201), // end-7a, 7b
  audited(row('DELETE', MANIFEST, 'delete', 'manifest.delete', deleteManifestOrTag), 202), // end-9
  row('GET', `${NAME}/tags/list`, 'pull', 'tag.list', getTags), // end-8a, 8b
  row('GET', `${NAME}/referrers/<digest>`, 'pull', 'referrer.list', getReferrers), // end-12a, 12b
];

/** Of a registry that has users. */
const IDENTITY_ROUTES: readonly Route[] = [
  row('GET', '/token', 'nothing', 'token.issue', issueToken),
  row('POST', '/token', 'nothing', 'token.issue', issueToken),
  row('POST', '/token/revoke', 'nothing', 'login.end', revokeToken),
  ...MANAGEMENT_ROUTES,
];

/** Of a registry that has none. */
export const OPEN_ROUTES: readonly Route[] = [...ROUTES, ...OPEN_MANAGEMENT_ROUTES];

/** Every route there is. */
export const ALL_ROUTES: readonly Route[] = [...ROUTES, ...IDENTITY_ROUTES];

function row(method: string, path: string, need: Need, operation: string, handler: Handler): Route {
  return { method, path, need, operation, handler };
}

function audited(route: Route, status: number): Route {
  return { ...route, audited: status };
}
