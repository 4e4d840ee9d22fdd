// The last thing that sees an answer of status 399 or less: a CloudFront Function (cloudfront-js-2.0: an old grammar). It gives
// the answers of S3 the form that clients of a registry expect. AWS does not say whether `event.request` is the request as the
// client sent it or as viewer-request has left it, so it may be either.

async function handler(event) {
  const request = event.request;
  const response = event.response;
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  // To a download x-stowage-created would come from the client, past viewer-request.
  const created = isRead || response.statusCode !== 200 ? '' : createdBy(request);
  if (created) return uploaded(response, created);
  if (isRead && request.uri.startsWith('/blobs/')) return downloaded(response, request.querystring.digest);
  return response;
}

/** Where a blob is that S3 has taken; empty for what else was answered with 200. The registry itself never answers a PUT of an
 *  upload so. */
function createdBy(request) {
  const found = /^PUT \/v2\/([a-z0-9._/-]+)\/blobs\/uploads\/[^/]+$/.exec(`${request.method} ${decoded(request.uri)}`);
  const digest = decoded(textOf(request.querystring.digest));
  if (found && /^sha256:[0-9a-f]{64}$/.test(digest)) return `/v2/${found[1]}/blobs/${digest}`;
  return textOf(request.headers['x-stowage-created']);
}

/** S3 has taken a blob: clients want 201 and the digest, some of them nothing else. */
function uploaded(response, location) {
  const digest = location.slice(location.lastIndexOf('/') + 1);
  completeHeaders(response.headers);
  response.statusCode = 201;
  response.statusDescription = 'Created';
  response.headers.location = { value: location };
  response.headers['docker-content-digest'] = { value: digest };
  response.headers['docker-distribution-api-version'] = { value: 'registry/2.0' };
  response.headers['cache-control'] = { value: 'no-store' };
  return response;
}

/** A blob, or a part of it, by a signed URL that names its digest. */
function downloaded(response, digest) {
  completeHeaders(response.headers);
  if (digest) response.headers['docker-content-digest'] = { value: digest.value.replace(/%3A/i, ':') };
  // Whatever a blob holds, a browser must not render it under the registry's name.
  response.headers['content-type'] = { value: 'application/octet-stream' };
  response.headers['cache-control'] = { value: 'private, max-age=31536000, immutable' };
  return response;
}

/** Nothing of S3's own, which tells when and how an object came to be: somebody else may have had it before. And what every
 *  answer of the registry carries. */
function completeHeaders(headers) {
  Object.keys(headers).forEach((name) => {
    if (/^(x-amz-.*|etag|last-modified)$/.test(name)) delete headers[name];
  });
  headers['x-content-type-options'] = { value: 'nosniff' };
  headers['content-security-policy'] = { value: "default-src 'none'; frame-ancestors 'none'; sandbox" };
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
