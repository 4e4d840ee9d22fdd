// The first to see a request: a CloudFront Function (cloudfront-js-2.0: no for-of, no destructuring), deployed as it
// stands here. It refuses what needs no Lambda for that, and chooses where the rest goes: to the API or, where a body is
// too large for Lambda, to S3 or to the stream host. Reasons: docs/decisions/0007.

import cf from 'cloudfront';
import crypto from 'crypto';

const MAX_INLINE_BYTES = 4 * 1024 * 1024; // through API Gateway and Lambda
const MAX_DIRECT_BYTES = 5 * 1024 ** 3; // in one PUT to S3
const CLOCK_TOLERANCE_SECONDS = 5;

const UPLOAD = /^\/v2\/(.+)\/blobs\/uploads\/([^/]*)$/;
const IN_REPOSITORY = /^\/v2\/(.+)\/(?:blobs|manifests|tags|referrers)\//;
const NAME = /^[a-z0-9._/-]+$/;

/** These send each layer in one PATCH, often without its length. */
const PATCHES_LAYERS =
  /^(?:docker\/(?!.*containerd-client)|containers\/|skopeo\/|buildah\/|podman\/|libpod\/)|go-containerregistry|^(?:crane|ko|kaniko)\//i;

const CURE =
  'push with "stowage push", or with docker on the containerd image store, containerd, oras, helm or regctl, ' +
  'or deploy the registry with streamHost=instance';

async function _handler(event) {
  const request = event.request;
  const headers = request.headers;
  const host = headers.host ? headers.host.value : '';
  delete headers['x-stowage-front']; // CloudFront itself adds the true one
  delete headers['x-stowage-created'];
  headers['x-stowage-address'] = { value: event.viewer.ip };
  headers['x-stowage-host'] = { value: host };

  const settings = await readSettings();
  const isRegistry = request.uri === '/v2' || request.uri.startsWith('/v2/');
  let bearer;
  if (isRegistry && settings) {
    bearer = bearerIn(headers.authorization?.value, settings.keys);
    if (bearer.refusal) return unauthorized(request, settings, bearer);
  }
  return choose(request, settings, bearer);
}

/** What rotate-keys has put in the KeyValueStore, if it can be read. */
async function readSettings() {
  try {
    return await cf.kvs().get('front', { format: 'json' });
  } catch (_error) {}
}

function choose(request, settings, bearer) {
  const upload = UPLOAD.exec(request.uri);
  const length = lengthOf(request.headers);
  const mayHaveBody = ['PUT', 'PATCH', 'POST'].includes(request.method);
  if (!mayHaveBody || (length !== undefined && length <= MAX_INLINE_BYTES)) return request;
  if (length === undefined && (!upload || upload[2] === '')) return request; // most likely without a body
  if (!upload) return refusal(413, 'SIZE_INVALID', 'a request to this path carries at most 4 MiB');
  if (isDirect(request, length)) return direct(request, settings, bearer, upload);
  return large(request, settings, length);
}

/** Only what S3 can take and check by itself: a whole blob of known length and SHA-256. */
function isDirect(request, length) {
  if (request.method !== 'PUT' || length === undefined || length > MAX_DIRECT_BYTES) return false;
  if (request.headers['content-range']) return false;
  return !/^sha512(?::|%3A)/i.test(parameter(request, 'digest') || '');
}

/** A body that neither Lambda nor one PUT to S3 can carry. */
function large(request, settings, length) {
  if (settings?.stream) {
    cf.selectRequestOriginById('stream');
    return request;
  }
  if (length !== undefined) {
    return refusal(413, 'DENIED', `this registry takes at most 4 MiB this way, not ${length} bytes: ${CURE}`);
  }
  const agent = request.headers['user-agent'];
  if (request.method === 'PATCH' && agent && PATCHES_LAYERS.test(agent.value)) {
    return refusal(413, 'DENIED', `this registry takes no layers of unknown length: ${CURE}`);
  }
  return request; // small chunks get through
}

/** Straight to S3, which checks the bytes while it takes them. */
function direct(request, settings, bearer, upload) {
  const digest = /^sha256(?::|%3[Aa])([0-9a-f]{64})$/.exec(parameter(request, 'digest') || '');
  if (!digest || (request.querystring.digest.multiValue || []).length > 1)
    return refusal(400, 'DIGEST_INVALID', 'not one sha256 digest');
  const hex = digest[1];
  if (!settings || bearer.isUnknown)
    return refusal(503, 'UNAVAILABLE', 'tokens cannot be checked now; try again');
  const token = readToken(parameter(request, 'token') || '', upload, bearer.principal, settings.keys);
  if (token.refusal) return token.refusal;
  replaceHeaders(request, {
    'content-type': 'application/octet-stream',
    'x-amz-checksum-sha256': Buffer.from(hex, 'hex').toString('base64'),
    'x-amz-content-sha256': hex,
    'x-amz-meta-stowage-lane': 'direct',
    'if-none-match': '*', // an object is never written twice, whoever may repeat the request
    'x-stowage-created': `/v2/${upload[1]}/blobs/sha256:${hex}`,
  });
  request.uri = `/${token.objectKey}`;
  request.querystring = {};
  cf.selectRequestOriginById('blobs');
  return request;
}

/** Leaves nothing of the client's that S3 could take for an order, such as x-amz-copy-source. */
function replaceHeaders(request, headers) {
  const untouchable = ['content-length', 'host', 'transfer-encoding', 'via'];
  Object.keys(request.headers).forEach((name) => {
    if (!untouchable.includes(name)) delete request.headers[name];
  });
  Object.keys(headers).forEach((name) => {
    request.headers[name] = { value: headers[name] };
  });
}

/** The object that <key id>.<expiry, s>.<object>.<mac> allows this caller to write (functions/auth/upload-tokens.ts). Its
 *  key comes from nowhere else. */
function readToken(text, upload, principal, keys) {
  const again = 'POST again, and send the blob to the whole Location';
  const parts = text.split('.');
  if (parts.length !== 4)
    return { refusal: refusal(400, 'BLOB_UPLOAD_INVALID', `no upload token: ${again}`) };
  const key = keys.find((one) => one.id === parts[0]);
  const objectKey = `blobs/${parts[2]}`;
  const lines = ['upload', upload[1], upload[2], objectKey, parts[1], principal];
  if (!key || !isSame(macOf(key, lines.join('\n')), parts[3])) {
    return { refusal: refusal(403, 'DENIED', 'the upload token is not one of this upload and this user') };
  }
  if (!(Number(parts[1]) * 1000 > Date.now())) {
    return { refusal: refusal(400, 'BLOB_UPLOAD_INVALID', `the upload token has expired: ${again}`) };
  }
  return { objectKey: objectKey };
}

/** The principal of a good access token; or why it is refused. One that we cannot know is Lambda's to judge. */
function bearerIn(authorization, keys) {
  const words = /^(\S+) +(\S+)$/.exec(authorization || '');
  const scheme = words ? words[1].toLowerCase() : '';
  if (scheme === 'basic')
    return { refusal: 'a password is taken by the token endpoint only, which the challenge names' };
  if (scheme !== 'bearer') return { refusal: 'authentication required' };
  const invalid = { refusal: 'the access token is not valid', error: 'invalid_token' };
  const parts = words[2].split('.');
  const head = parts.length === 3 ? jsonIn(parts[0]) : undefined;
  const claims = head ? jsonIn(parts[1]) : undefined;
  if (!claims || head.alg !== 'HS256') return invalid;
  const key = keys.find((one) => one.id === head.kid);
  if (!key) return { isUnknown: true }; // of a key newer than ours
  if (!isSame(macOf(key, `${parts[0]}.${parts[1]}`), parts[2])) return invalid;
  if (!(claims.exp + CLOCK_TOLERANCE_SECONDS > Date.now() / 1000)) {
    return { refusal: 'the access token has expired', error: 'invalid_token' };
  }
  return { principal: `${claims.sub}` };
}

function jsonIn(text) {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64url').toString());
    return value && typeof value === 'object' ? value : undefined;
  } catch (_) {
    return undefined;
  }
}

function macOf(key, text) {
  return crypto.createHmac('sha256', Buffer.from(key.secret, 'base64url')).update(text).digest('base64url');
}

/** Takes as long for the first wrong character as for the last. */
function isSame(expected, given) {
  let difference = expected.length ^ given.length;
  for (let at = 0; at < expected.length; at += 1)
    difference |= expected.charCodeAt(at) ^ given.charCodeAt(at);
  return difference === 0;
}

/** https://distribution.github.io/distribution/spec/auth/token/ */
function unauthorized(request, settings, bearer) {
  const url = settings.url || `https://${request.headers.host.value}`;
  const parts = [`realm="${url}/token"`, 'service="stowage"'];
  const scope = scopeOf(request);
  if (scope) parts.push(`scope="${scope}"`);
  if (bearer.error) parts.push(`error="${bearer.error}"`);
  const answer = refusal(401, 'UNAUTHORIZED', bearer.refusal);
  answer.headers['www-authenticate'] = { value: `Bearer ${parts.join(',')}` };
  return answer;
}

function scopeOf(request) {
  if (request.uri === '/v2/_catalog') return 'registry:catalog:*';
  const found = IN_REPOSITORY.exec(request.uri);
  if (!found || !NAME.test(found[1])) return '';
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const isUpload = UPLOAD.test(request.uri);
  const actions = isUpload || request.method === 'PUT' ? 'pull,push' : isRead ? 'pull' : 'delete';
  const scope = `repository:${found[1]}:${actions}`;
  const from = (parameter(request, 'from') || '').replace(/%2F/gi, '/'); // queries come as they were sent
  return NAME.test(from) && from !== found[1] ? `${scope} repository:${from}:pull` : scope;
}

function lengthOf(headers) {
  const length = headers['content-length'];
  return length && !headers['transfer-encoding'] ? Number(length.value) : undefined;
}

function parameter(request, name) {
  const found = request.querystring[name];
  return found ? found.value : undefined;
}

/** An error as the specification words it. */
function refusal(statusCode, code, message) {
  return {
    statusCode: statusCode,
    headers: {
      'content-type': { value: 'application/json' },
      'cache-control': { value: 'no-store' },
      'docker-distribution-api-version': { value: 'registry/2.0' },
    },
    body: { encoding: 'text', data: JSON.stringify({ errors: [{ code: code, message: message }] }) },
  };
}
