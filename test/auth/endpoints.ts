import type { Rule } from './oracle.ts';

interface Endpoint {
  readonly rule: Rule;
  readonly api: 'registry' | 'management';
  /** A path of the route; of a repository where it names one. */
  readonly send: (repository: string) => string;
  readonly body?: unknown;
}

const DIGEST = `sha256:${'0'.repeat(64)}`;
const UPLOAD = '00000000-0000-4000-8000-000000000000';

function registry(rule: Rule, rest: string): Endpoint {
  return { rule, api: 'registry', send: (repository) => `/v2/${repository}${rest}` };
}

const whole = (rule: Rule, path: string): Endpoint => ({ rule, api: 'registry', send: () => path });

/** Who may use each route, and a request to it. */
export const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  'GET /v2/': whole('tokenHolders', '/v2/'),
  'GET /v2/_catalog': whole('tokenHolders', '/v2/_catalog'),
  'GET /token': whole('anybody', '/token'),
  'POST /token': whole('anybody', '/token'),
  'POST /v2/<name>/blobs/uploads/': registry('pusher', '/blobs/uploads/'),
  'GET /v2/<name>/blobs/uploads/<session>': registry('pusher', `/blobs/uploads/${UPLOAD}`),
  'PATCH /v2/<name>/blobs/uploads/<session>': registry('pusher', `/blobs/uploads/${UPLOAD}`),
  'PUT /v2/<name>/blobs/uploads/<session>': registry('pusher', `/blobs/uploads/${UPLOAD}?digest=${DIGEST}`),
  'DELETE /v2/<name>/blobs/uploads/<session>': registry('pusher', `/blobs/uploads/${UPLOAD}`),
  'GET /v2/<name>/blobs/<digest>': registry('puller', `/blobs/${DIGEST}`),
  'HEAD /v2/<name>/blobs/<digest>': registry('puller', `/blobs/${DIGEST}`),
  'DELETE /v2/<name>/blobs/<digest>': registry('deleter', `/blobs/${DIGEST}`),
  'GET /v2/<name>/manifests/<reference>': registry('puller', '/manifests/v1'),
  'HEAD /v2/<name>/manifests/<reference>': registry('puller', '/manifests/v1'),
  'PUT /v2/<name>/manifests/<reference>': registry('pusher', '/manifests/v1'),
  'DELETE /v2/<name>/manifests/<reference>': registry('deleter', '/manifests/v1'),
  'GET /v2/<name>/tags/list': registry('puller', '/tags/list'),
  'GET /v2/<name>/referrers/<digest>': registry('puller', `/referrers/${DIGEST}`),
};
