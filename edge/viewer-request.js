// The first to see a request: a CloudFront Function (cloudfront-js-2.0: an old grammar). It refuses what needs no Lambda for
// that, and chooses where the rest goes: the API or, with a body too large for Lambda, S3 or the stream host.
// Reasons: docs/decisions/0007-front-door.md. `STREAM_HOST`, whether there is one, is put in when the stack is made: lib/edge-code.ts.
/* global STREAM_HOST */

import cf from 'cloudfront';
import crypto from 'crypto';

const MAX_INLINE_BYTES = 4 * 1024 * 1024; // through API Gateway and Lambda
const MAX_DIRECT_BYTES = 5 * 1024 * 1024 * 1024; // in one PUT to S3

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+|\/)[a-z0-9]+)*$/;

/** Requests, and what their token has to allow, as in functions/routes.ts. */
const REQUESTS = [
  { line: /^POST \/v2\/(.+)\/blobs\/uploads\/?$/, actions: 'pull,push' },
  { line: /^(?:GET|HEAD|PATCH|POST|PUT|DELETE) \/v2\/(.+)\/blobs\/uploads\/([^/]+)$/, actions: 'pull,push' },
  { line: /^(?:GET|HEAD) \/v2\/(.+)\/(?:(?:blobs|manifests|referrers)\/[^/]+|tags\/list)$/, actions: 'pull' },
  { line: /^PUT \/v2\/(.+)\/manifests\/[^/]+$/, actions: 'pull,push' },
  { line: /^DELETE \/v2\/(.+)\/(?:blobs|manifests)\/[^/]+$/, actions: 'delete' },
];

/** They PATCH small chunks; any other PATCH without a length is taken for a whole layer. */
const CHUNKS = /^$|containerd|regclient|stowage|conformance|^Go-http-client/i;

const CLIENTS = 'push with "stowage push", docker on the containerd image store, containerd, oras, helm or regctl, or ';

async function handler(event) {
  const request = event.request;
  const headers = request.headers;
  Object.keys(headers).forEach((name) => {
    if (name.startsWith('x-stowage-')) delete headers[name]; // ours alone
  });
  headers['x-stowage-address'] = { value: event.viewer.ip };
  headers['x-stowage-host'] = { value: textOf(headers.host) };

  const call = callIn(request);
  if (!call) return lengthOf(headers) > MAX_INLINE_BYTES ? tooLarge() : request;
  let front;
  try {
    front = await cf.kvs().get('front', { format: 'json' });
  } catch (_) {} // Lambda checks again whatever goes through
  const caller = front ? callerOf(textOf(headers.authorization), front.keys) : {};
  if (caller.why) return unauthorized(request, call, caller);
  return choose(request, call, front, caller);
}

/** What needs a token; `undefined` for all else. */
function callIn(request) {
  const line = `${request.method} ${decoded(request.uri)}`;
  if (/^(GET|HEAD) \/v2\/?$/.test(line)) return { scope: '' };
  if (/^(GET|HEAD) \/v2\/_catalog$/.test(line)) return { scope: 'registry:catalog:*' };
  const known = REQUESTS.find((one) => one.line.test(line));
  const found = known ? known.line.exec(line) : ['', ''];
  const name = found[1];
  if (!isName(name)) return undefined;
  const from = decoded(textOf(request.querystring.from));
  const also = isName(from) && from !== name ? ` repository:${from}:pull` : '';
  return { name: name, session: found[2], scope: `repository:${name}:${known.actions}${also}` };
}

function choose(request, call, front, caller) {
  const length = lengthOf(request.headers); // NaN where it is unknown
  const isLarge = length > MAX_INLINE_BYTES;
  const isChunk = call.session && ['PUT', 'PATCH'].includes(request.method);
  if (!isLarge && (length >= 0 || !isChunk)) return request;
  if (!isChunk && request.method !== 'POST') return tooLarge();
  if (!front) return isLarge ? unavailable() : request;
  return isDirect(request, length) ? direct(request, call, front, caller) : large(request, length);
}

/** Only what S3 can take and check by itself: a whole blob of known length and SHA-256. */
function isDirect(request, length) {
  const isWhole = request.method === 'PUT' && !request.headers['content-range'];
  return isWhole && length <= MAX_DIRECT_BYTES && !/^sha512(:|%3A)/i.test(textOf(request.querystring.digest));
}

/** A body that neither Lambda nor one PUT to S3 can carry. */
function large(request, length) {
  const agent = textOf(request.headers['user-agent']);
  const isSmall = !(length > 0) && CHUNKS.test(agent); // and nobody wakes a stream host for it
  if (STREAM_HOST && !(STREAM_HOST === 'wake' && isSmall)) {
    cf.selectRequestOriginById('stream');
    return request;
  }
  if (isSmall) return request;
  const cure = `${length > MAX_DIRECT_BYTES ? '' : CLIENTS}deploy the registry with streamHost=instance`;
  if (length > 0) return refusal(413, 'DENIED', `this registry does not take ${length} bytes like this: ${cure}`);
  if (request.method === 'PATCH')
    return refusal(413, 'DENIED', `this registry takes no layer of unknown length: ${cure}`);
  return request; // small chunks get through
}

/** Straight to S3, which checks the bytes. */
function direct(request, call, front, caller) {
  const digest = request.querystring.digest;
  const found = /^sha256:([0-9a-f]{64})$/.exec(decoded(textOf(digest)));
  if (!found || digest.multiValue) return refusal(400, 'DIGEST_INVALID', 'one digest is wanted');
  if (caller.isUnknown) return unavailable();
  if (!caller.access.some((one) => one.name === call.name && one.actions.includes('push'))) {
    const lack = { why: `the access token is not one to push in ${call.name}`, error: 'insufficient_scope' };
    return unauthorized(request, call, lack);
  }
  const token = textOf(request.querystring.token);
  const other = notDirect(token, call, caller, front, request);
  if (other) return other;
  // S3 takes no order from a client.
  Object.keys(request.headers).forEach((name) => {
    if (!/^(content-length|host|transfer-encoding|via)$/.test(name)) delete request.headers[name];
  });
  const hex = found[1];
  Object.assign(request.headers, {
    'content-type': { value: 'application/octet-stream' },
    'x-amz-checksum-sha256': { value: Buffer.from(hex, 'hex').toString('base64') },
    'x-amz-content-sha256': { value: hex },
    'x-amz-meta-stowage-lane': { value: 'direct' },
    'if-none-match': { value: '*' }, // no object is ever written twice
    'x-stowage-created': { value: `/v2/${call.name}/blobs/sha256:${hex}` },
  });
  request.uri = `/blobs/${token.split('.')[2]}`;
  request.querystring = {};
  request.cookies = {};
  cf.selectRequestOriginById('blobs');
  return request;
}

/** Unless `<key id>.<expiry>[-<bytes>].<object>.<mac>` allows it (functions/auth/upload-tokens.ts). */
function notDirect(token, call, caller, front, request) {
  const why = 'the upload token is missing or has expired: start the upload again';
  const late = refusal(400, 'BLOB_UPLOAD_INVALID', why);
  if (!token) return late;
  const parts = token.split('.');
  const signed = ['upload', call.name, call.session, `blobs/${parts[2]}`, parts[1], caller.principal].join('\n');
  if (parts.length !== 4 || !isSigned(front.keys, parts[0], signed, parts[3]))
    return refusal(403, 'DENIED', 'the upload token is not one of this upload and this user');
  const bounds = parts[1].split('-');
  if (bounds[0] <= Date.now() / 1000) return late;
  if (!(lengthOf(request.headers) > bounds[1])) return undefined;
  return STREAM_HOST === true ? large(request) : refusal(403, 'DENIED', 'a quota has no room for this layer');
}

/** Who has a good access token; or why it is refused. One of an unknown key is Lambda's to judge. */
function callerOf(authorization, keys) {
  const words = /^(\S+) +(\S+)$/.exec(authorization) || ['', ''];
  if (/^basic$/i.test(words[1]))
    return { why: 'a password is taken by the token endpoint only, which the challenge names' };
  if (!/^bearer$/i.test(words[1])) return { why: 'authentication required' };
  const invalid = { why: 'the access token is not valid', error: 'invalid_token' };
  const parts = words[2].split('.');
  const head = jsonIn(parts[0]);
  const claims = jsonIn(parts[1]);
  if (parts.length !== 3 || head.alg !== 'HS256') return invalid;
  if (!keys.some((one) => one.id === head.kid)) return { isUnknown: true }; // newer than ours
  if (!isSigned(keys, head.kid, `${parts[0]}.${parts[1]}`, parts[2])) return invalid;
  // Clocks of ours differ by less than 5 s.
  if (claims.exp + 5 > Date.now() / 1000) return { principal: claims.sub, access: claims.access };
  return { why: 'the access token has expired', error: 'invalid_token' };
}

function jsonIn(text) {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString()) || {};
  } catch (_) {
    return {};
  }
}

/** Takes as long for any wrong MAC. */
function isSigned(keys, id, text, given) {
  const key = keys.find((one) => one.id === id);
  if (!key) return false;
  const secret = Buffer.from(key.secret, 'base64url');
  const mac = crypto.createHmac('sha256', secret).update(text).digest('base64url');
  let difference = mac.length ^ given.length;
  for (let at = 0; at < mac.length; at += 1) difference |= mac.charCodeAt(at) ^ given.charCodeAt(at);
  return difference === 0;
}

/** Worded as in functions/auth/challenge.ts. */
function unauthorized(request, call, caller) {
  let challenge = `Bearer realm="https://${textOf(request.headers.host)}/token",service="stowage"`;
  if (call.scope) challenge += `,scope="${call.scope}"`;
  if (caller.error) challenge += `,error="${caller.error}"`;
  const answer = refusal(401, 'UNAUTHORIZED', caller.why);
  answer.headers['www-authenticate'] = { value: challenge };
  return answer;
}

function tooLarge() {
  return refusal(413, 'SIZE_INVALID', `the body is larger than ${MAX_INLINE_BYTES} bytes`);
}

function unavailable() {
  return refusal(503, 'UNAVAILABLE', 'tokens cannot be checked now; try again');
}

function refusal(status, code, message) {
  return {
    statusCode: status,
    headers: {
      'content-type': { value: 'application/json' },
      'cache-control': { value: 'no-store' },
      'docker-distribution-api-version': { value: 'registry/2.0' },
      'x-content-type-options': { value: 'nosniff' },
      'content-security-policy': { value: "default-src 'none'; frame-ancestors 'none'; sandbox" },
    },
    body: { encoding: 'text', data: JSON.stringify({ errors: [{ code: code, message: message }] }) },
  };
}

function lengthOf(headers) {
  return parseInt(textOf(headers['content-length']), 10);
}

function isName(text) {
  return text.length <= 255 && NAME.test(text);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (_) {
    return '';
  }
}

function textOf(entry) {
  return entry ? entry.value : '';
}
