import {
  artifact,
  config,
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  describe,
  describeManifest,
  image,
  imageFields,
  imageOfSize,
  index,
  layer,
  MAX_MANIFEST_BYTES,
  type ManifestContent,
  manifestOf,
  OCI_CONFIG,
  OCI_LAYER,
} from '../content.ts';
import {
  type Group,
  manifestIsReadable,
  manifestIsUnknown,
  pushArtifactBlobs,
  pushImageBlobs,
  pushManifest,
  type Row,
  refusedManifest,
} from '../row.ts';

const v1 = image();
const v2 = image({ annotations: { version: '2' } });
const inSha512 = image({}, 'sha512');

const created = ({ digest }: ManifestContent) => ({
  status: 201,
  headers: { Location: `/v2/{repo}/manifests/${digest}`, 'Docker-Content-Digest': digest },
  body: '' as const,
});

const puts: Group = {
  about: 'end-7a: pushing a manifest',
  rows: [
    {
      title: 'end-7a: PUT by tag answers 201 with the digest, and tag and digest work at once',
      steps: [
        pushImageBlobs,
        { ...pushManifest(v1, 'v1'), expect: created(v1) },
        manifestIsReadable(v1, 'v1'),
        manifestIsReadable(v1),
      ],
    },
    {
      title: 'end-7a: PUT by digest answers 201 and creates no tag',
      steps: [
        pushImageBlobs,
        { ...pushManifest(v1), expect: created(v1) },
        manifestIsReadable(v1),
        { send: 'GET /v2/{repo}/tags/list', expect: { status: 200, json: { name: '{repo}', tags: [] } } },
      ],
    },
    {
      title: 'end-7a: PUT by a sha512 digest is stored and answered under that digest',
      steps: [
        pushImageBlobs,
        { ...pushManifest(inSha512), expect: created(inSha512) },
        manifestIsReadable(inSha512),
      ],
    },
    {
      title: 'end-7a: the same manifest may be pushed again',
      steps: [
        pushImageBlobs,
        pushManifest(v1, 'v1'),
        { ...pushManifest(v1, 'v1'), expect: created(v1) },
        { ...pushManifest(v1), expect: created(v1) },
      ],
    },
    {
      title: 'end-7a: a tag moves to the manifest pushed last, and the other stays under its digest',
      steps: [
        pushImageBlobs,
        pushManifest(v1, 'latest'),
        pushManifest(v2, 'latest'),
        manifestIsReadable(v2, 'latest'),
        manifestIsReadable(v1),
      ],
    },
    {
      title: 'end-7a: parameters of the Content-Type are ignored and not echoed',
      steps: [
        pushImageBlobs,
        {
          ...pushManifest(v1, 'v1'),
          headers: { 'Content-Type': `${v1.mediaType}; charset=utf-8` },
          expect: created(v1),
        },
        {
          send: 'GET /v2/{repo}/manifests/v1',
          expect: { status: 200, headers: { 'Content-Type': v1.mediaType }, body: v1 },
        },
      ],
    },
    {
      title: 'end-7a: without a Content-Type the mediaType field says what is pushed',
      steps: [
        pushImageBlobs,
        { ...pushManifest(v1, 'v1'), headers: {}, expect: created(v1) },
        {
          send: 'GET /v2/{repo}/manifests/v1',
          expect: { status: 200, headers: { 'Content-Type': v1.mediaType }, body: v1 },
        },
      ],
    },
    {
      title: `end-7a: a manifest of exactly ${MAX_MANIFEST_BYTES} bytes comes back whole`,
      steps: [
        pushImageBlobs,
        pushManifest(imageOfSize(MAX_MANIFEST_BYTES), 'large'),
        manifestIsReadable(imageOfSize(MAX_MANIFEST_BYTES), 'large'),
      ],
    },
    {
      title: `end-7a: a manifest over ${MAX_MANIFEST_BYTES} bytes is 413 with code SIZE_INVALID`,
      steps: [
        pushImageBlobs,
        refusedManifest(imageOfSize(MAX_MANIFEST_BYTES + 1), { status: 413, code: 'SIZE_INVALID' }),
        manifestIsUnknown('v1'),
      ],
    },
    {
      title:
        "end-7a: a digest in the path that is not the body's is DIGEST_INVALID and readable under neither",
      steps: [
        pushImageBlobs,
        refusedManifest(v1, { status: 400, code: 'DIGEST_INVALID' }, v2.digest),
        manifestIsUnknown(v1.digest),
        manifestIsUnknown(v2.digest),
      ],
    },
  ],
};

const accepted = (title: string, ...manifests: readonly ManifestContent[]): Row => ({
  title: `end-7a: ${title} comes back byte for byte under its media type`,
  steps: [
    pushImageBlobs,
    pushArtifactBlobs,
    manifests.map((manifest) => pushManifest(manifest)),
    manifests.map((manifest) => ({
      send: `GET /v2/{repo}/manifests/${manifest.digest}`,
      expect: { status: 200, headers: { 'Content-Type': manifest.mediaType }, body: manifest },
    })),
  ],
});

const { mediaType: _, ...untypedFields } = imageFields;

const dockerImage = manifestOf(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: DOCKER_MANIFEST,
    config: describe(config, DOCKER_CONFIG),
    layers: [describe(layer, DOCKER_LAYER)],
  }),
  DOCKER_MANIFEST,
);

const dockerList = manifestOf(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: DOCKER_LIST,
    manifests: [{ ...describeManifest(dockerImage), platform: { architecture: 'amd64', os: 'linux' } }],
  }),
  DOCKER_LIST,
);

const oddlyWritten = manifestOf(
  `\n{ "layers" : [ ],\t"config":${JSON.stringify(describe(config, OCI_CONFIG))},"schemaVersion":2,
  "vnd.example.unknown": {"b":1.0,"a":[null,true,"\\u00e9\\/"]}, "annotations": {"z":"1","a":"é"} }\n\n`,
);

const helmChart = image({ config: describe(config, 'application/vnd.cncf.helm.config.v1+json') });

/** Layers that a registry need not hold, as base images of Windows have them. */
const foreign = (mediaType: string) => ({
  mediaType,
  digest: `sha256:${'0123456789abcdef'.repeat(4)}`,
  size: 1_718_332_879,
  urls: ['https://example.com/layer'],
});

const foreignTypes = [
  'application/vnd.oci.image.layer.nondistributable.v1.tar',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
];

const kinds: Group = {
  about: 'end-7a: kinds of manifests',
  rows: [
    accepted('an OCI image', image()),
    accepted('an OCI image without a mediaType field', manifestOf(JSON.stringify(untypedFields))),
    accepted('an OCI image without layers', image({ layers: [] })),
    accepted('odd whitespace and unknown fields', oddlyWritten),
    accepted('an OCI index', image(), index([image()])),
    accepted('an index of indexes', image(), index([image()]), index([index([image()])])),
    accepted('an empty index', index([])),
    accepted('a Docker image and a list of it', dockerImage, dockerList),
    accepted('an OCI index of a Docker image', dockerImage, index([dockerImage])),
    accepted('an artifact', artifact()),
    accepted('an artifact index', image(), index([image()], { artifactType: 'application/vnd.example.set' })),
    accepted('a Helm chart', helmChart),
    accepted('a layer named twice', image({ layers: [imageFields.layers[0], imageFields.layers[0]] })),
    accepted('a layer of an unknown media type', image({ layers: [describe(layer, 'text/x-any')] })),
    ...foreignTypes.map((mediaType) =>
      accepted(
        `an image with a layer of ${mediaType} that is not in the registry`,
        image({ layers: [describe(layer, OCI_LAYER), foreign(mediaType)] }),
      ),
    ),
  ],
};

export const manifestGroups: readonly Group[] = [puts, kinds];
