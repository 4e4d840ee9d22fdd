import { config, image, index, type ManifestContent, OCI_INDEX } from '../content.ts';
import { type Group, manifestIsReadable, manifestIsUnknown, pushImageBlobs, pushManifest } from '../row.ts';

const v1 = image();
const v2 = image({ annotations: { version: '2' } });
const inSha512 = image({}, 'sha512');

const untouched = ['text/plain', 'application/vnd.docker.distribution.manifest.v1+json', '', '*/*;q=0'];
const list = index([v1]);

const readable = (manifest: ManifestContent) => ({
  status: 200,
  headers: {
    'Content-Type': manifest.mediaType,
    'Content-Length': `${manifest.size}`,
    'Docker-Content-Digest': manifest.digest,
    ETag: `"${manifest.digest}"`,
  },
});

const reads: Group = {
  about: 'end-3: reading a manifest',
  rows: [
    ...[v1, list, inSha512].map((manifest) => ({
      title: `end-3: GET and HEAD of ${manifest.mediaType} by ${manifest.digest.slice(0, 6)} digest and by tag`,
      steps: [
        pushImageBlobs,
        pushManifest(v1),
        { ...pushManifest(manifest), send: `PUT /v2/{repo}/manifests/${manifest.digest}?tag=v1` },
        ['v1', manifest.digest].map((reference) => [
          {
            send: `GET /v2/{repo}/manifests/${reference}`,
            expect: { ...readable(manifest), body: manifest },
          },
          { send: `HEAD /v2/{repo}/manifests/${reference}`, expect: readable(manifest) },
        ]),
      ],
    })),
    {
      title: 'end-3: an Accept header that does not name the media type is no obstacle',
      steps: [
        pushImageBlobs,
        pushManifest(v1, 'v1'),
        ...untouched.map((accept) => ({
          send: 'GET /v2/{repo}/manifests/v1',
          headers: { Accept: accept },
          expect: { ...readable(v1), body: v1 },
        })),
      ],
    },
    {
      title: 'end-3: If-None-Match with the ETag is 304, and 200 once the tag has moved',
      steps: [
        pushImageBlobs,
        pushManifest(v1, 'latest'),
        {
          send: 'GET /v2/{repo}/manifests/latest',
          headers: { 'If-None-Match': `"${v1.digest}"` },
          expect: { status: 304, body: '', headers: { ETag: `"${v1.digest}"` } },
        },
        pushManifest(v2, 'latest'),
        {
          send: 'GET /v2/{repo}/manifests/latest',
          headers: { 'If-None-Match': `"${v1.digest}"` },
          expect: { ...readable(v2), body: v2 },
        },
      ],
    },
    {
      title: 'end-3: an unknown tag or digest is MANIFEST_UNKNOWN, in an unknown repository too',
      steps: [
        manifestIsUnknown('latest'),
        manifestIsUnknown(v1.digest),
        pushImageBlobs,
        pushManifest(v1, 'v1'),
        manifestIsUnknown('latest'),
        manifestIsUnknown(v2.digest),
        { send: 'HEAD /v2/{repo}/manifests/latest', expect: { status: 404 } },
        { send: `GET /v2/{other}/manifests/${v1.digest}`, expect: { status: 404, code: 'MANIFEST_UNKNOWN' } },
      ],
    },
    {
      title: 'end-3: a blob is no manifest, and a manifest no blob',
      steps: [
        pushImageBlobs,
        pushManifest(v1, 'v1'),
        manifestIsUnknown(config.digest),
        { send: `GET /v2/{repo}/blobs/${v1.digest}`, expect: { status: 404, code: 'BLOB_UNKNOWN' } },
      ],
    },
    {
      title:
        'a reference that is no tag is MANIFEST_INVALID to every method, a malformed digest DIGEST_INVALID',
      steps: ['GET', 'DELETE', 'PUT'].flatMap((method) => [
        ...['.v1', '-v1', 'v'.repeat(129), 'v%201'].map((tag) => ({
          ...requestOf(method, tag),
          expect: { status: 400, code: 'MANIFEST_INVALID' } as const,
        })),
        ...['sha256:abc', 'a:b', 'md5:5d41402abc4b2a76b9719d911017c592', `sha256:${'A'.repeat(64)}`].map(
          (digest) => ({
            ...requestOf(method, digest),
            expect: { status: 400, code: 'DIGEST_INVALID' } as const,
          }),
        ),
      ]),
    },
    {
      title: 'a tag may have 128 characters of every kind the specification allows',
      steps: [
        pushImageBlobs,
        pushManifest(v1, `_A.z-0${'v'.repeat(122)}`),
        manifestIsReadable(v1, `_A.z-0${'v'.repeat(122)}`),
      ],
    },
  ],
};

function requestOf(method: string, reference: string) {
  const empty = index([]);
  const body = method === 'PUT' ? { headers: { 'Content-Type': OCI_INDEX }, body: empty } : {};
  return { send: `${method} /v2/{repo}/manifests/${reference}`, ...body };
}

export const manifestReadGroups: readonly Group[] = [reads];
