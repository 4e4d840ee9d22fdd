// The last thing that sees an answer of status 399 or less: a CloudFront Function (runtime cloudfront-js-2.0), deployed as
// it stands here. It gives the answers of S3 the form that clients of a registry expect. `event.request` is the
// request as viewer-request has left it.

async function handler(event) {
  const request = event.request;
  const response = event.response;
  const created = request.headers['x-stowage-created'];
  if (created && response.statusCode === 200) return uploaded(response, created.value);
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (isRead && request.uri.startsWith('/blobs/')) return downloaded(response, request.querystring.digest);
  return response;
}

/** S3 has taken a blob: clients want 201 and the digest, some of them nothing else. */
function uploaded(response, location) {
  const digest = location.slice(location.lastIndexOf('/') + 1);
  dropStoreHeaders(response.headers);
  delete response.headers.etag;
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
  dropStoreHeaders(response.headers);
  if (digest) response.headers['docker-content-digest'] = { value: digest.value.replace(/%3A/i, ':') };
  // Whatever a blob holds, a browser must not render it under the registry's name.
  response.headers['content-type'] = { value: 'application/octet-stream' };
  response.headers['x-content-type-options'] = { value: 'nosniff' };
  response.headers['cache-control'] = { value: 'private, max-age=31536000, immutable' };
  return response;
}

function dropStoreHeaders(headers) {
  Object.keys(headers).forEach((name) => {
    if (name.startsWith('x-amz-')) delete headers[name];
  });
}
