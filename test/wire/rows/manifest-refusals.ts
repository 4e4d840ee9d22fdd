import {
  blob,
  config,
  DOCKER_MANIFEST,
  describe,
  emptyJson,
  image,
  imageFields,
  index,
  layer,
  type ManifestContent,
  manifestOf,
  OCI_CONFIG,
  OCI_EMPTY,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  otherLayer,
} from '../content.ts';
import {
  type Expectation,
  type Group,
  manifestIsUnknown,
  pushBlob,
  pushImageBlobs,
  pushManifest,
  type Row,
  refusedManifest,
} from '../row.ts';

const INVALID: Expectation = { status: 400, code: 'MANIFEST_INVALID' };
const SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
const UNHEARD_OF = 'application/vnd.example.unheard-of+json';

/** Everything `manifest` could refer to is there, so that only what the title says can be the reason. */
const refused = (title: string, manifest: ManifestContent): Row => ({
  title: `end-7a: ${title} is MANIFEST_INVALID`,
  steps: [
    pushImageBlobs,
    pushManifest(image()),
    refusedManifest(manifest, INVALID),
    refusedManifest(manifest, INVALID, manifest.digest),
    manifestIsUnknown('v1'),
    manifestIsUnknown(manifest.digest),
  ],
});

const { config: _config, ...withoutConfig } = imageFields;
const { layers: _layers, ...withoutLayers } = imageFields;
const child = describe(image(), OCI_MANIFEST);
const unknownBlob = describe(otherLayer, OCI_LAYER);
const unknownConfig = describe(blob('{"architecture":"a config that is not pushed"}'), OCI_CONFIG);
const unknownChild = image({ annotations: { pushed: 'no' } });
const unpushed = image({ layers: [] });
const validText = JSON.stringify(imageFields);

/** What is fine but for a field that nobody knows. */
const withUnknown = (value: string) => manifestOf(`${validText.slice(0, -1)},"x":${value}}`);

const syntax: Group = {
  about: 'end-7a: bodies that are no manifest',
  rows: [
    refused('an empty body', manifestOf('')),
    refused('a body that is not JSON', manifestOf('{"schemaVersion":2,')),
    refused('a body that is not UTF-8', {
      ...blob(
        Buffer.concat([Buffer.from(validText.slice(0, -1)), Buffer.from(',"x":"\xff\xfe"}', 'latin1')]),
      ),
      mediaType: OCI_MANIFEST,
    }),
    refused('JSON with more than 50,000 values', withUnknown(`[${'0,'.repeat(50_000)}0]`)),
    refused('JSON that nests more than 64 deep', withUnknown(`${'['.repeat(64)}0${']'.repeat(64)}`)),
    refused('4 MiB of brackets', manifestOf('['.repeat(4 * 1024 * 1024))),
    ...['null', '[]', '"manifest"', '2', 'true'].map((text) =>
      refused(`JSON that is not an object (${text})`, manifestOf(text)),
    ),
    refused('an image without config', manifestOf(JSON.stringify(withoutConfig))),
    refused('an image without layers', manifestOf(JSON.stringify(withoutLayers))),
    refused('an image whose config is a list', image({ config: [] })),
    refused('an image whose config is null', image({ config: null })),
    refused('an image whose layers are no list', image({ layers: {} })),
    refused('an index without manifests', manifestOf(JSON.stringify({ schemaVersion: 2 }), OCI_INDEX)),
    refused('an index whose manifests are no list', index([], { manifests: 'none' })),
    refused('an image that is an index as well', image({ manifests: [child] })),
    refused('an index that is an image as well', index([image()], { layers: imageFields.layers })),
    refused('an annotation that is no string', image({ annotations: { count: 1 } })),
    refused('an artifactType that is no string', image({ artifactType: 1 })),
    refused(
      'an artifactType longer than a media type may be',
      image({ artifactType: `a/${'b'.repeat(254)}` }),
    ),
    refused('a schema 1 manifest', manifestOf('{"schemaVersion":1,"fsLayers":[],"history":[]}', SCHEMA1)),
    refused('an image of schema version 1', image({ schemaVersion: 1 })),
  ],
};

const mediaTypes: Group = {
  about: 'end-7a: media types that do not hold',
  rows: [
    refused('an unknown media type', manifestOf(JSON.stringify({ mediaType: UNHEARD_OF }), UNHEARD_OF)),
    refused('an image under an unknown Content-Type', { ...unpushed, mediaType: UNHEARD_OF }),
    refused('a mediaType field that is not the Content-Type', { ...unpushed, mediaType: DOCKER_MANIFEST }),
    refused('an index under the Content-Type of an image', { ...index([image()]), mediaType: OCI_MANIFEST }),
    refused('a mediaType field that is no string', image({ mediaType: 2 })),
  ],
};

const { digest, size, mediaType } = describe(layer, OCI_LAYER);

const badDescriptors: readonly (readonly [string, unknown])[] = [
  ['that is a string', digest],
  ['that is null', null],
  ['without digest', { mediaType, size }],
  ['without size', { mediaType, digest }],
  ['without mediaType', { digest, size }],
  ['whose digest is malformed', { mediaType, size, digest: 'sha256:abc' }],
  ['whose digest is a number', { mediaType, size, digest: 7 }],
  ['whose algorithm is unsupported', { mediaType, size, digest: 'md5:5d41402abc4b2a76b9719d911017c592' }],
  ['whose size is negative', { mediaType, digest, size: -1 }],
  ['whose size is a string', { mediaType, digest, size: `${size}` }],
  ['whose size is a fraction', { mediaType, digest, size: size + 0.5 }],
];

const descriptors: Group = {
  about: 'end-7a: descriptors that do not hold',
  rows: [
    ...badDescriptors.map(([title, descriptor]) =>
      refused(`a layer ${title}`, image({ layers: [descriptor] })),
    ),
    refused('a malformed config digest', image({ config: { ...imageFields.config, digest: 'latest' } })),
    refused('a malformed child digest', index([], { manifests: [{ ...child, digest: 'latest' }] })),
    refused('a malformed subject digest', image({ subject: { ...child, digest: 'latest' } })),
    refused('a subject that is no descriptor', image({ subject: 'latest' })),
    refused(
      "a layer whose size is not the blob's",
      image({ layers: [{ mediaType, digest, size: size + 1 }] }),
    ),
    refused("a child whose size is not the manifest's", index([], { manifests: [{ ...child, size: 1 }] })),
  ],
};

const unknownReferences: Group = {
  about: 'end-7a: references to what the repository does not have',
  rows: [
    {
      title: 'end-7a: every missing blob is one MANIFEST_BLOB_UNKNOWN that names its digest',
      steps: [
        pushImageBlobs,
        refusedManifest(
          image({ config: unknownConfig, layers: [imageFields.layers[0], unknownBlob, unknownBlob] }),
          {
            status: 400,
            code: 'MANIFEST_BLOB_UNKNOWN',
            details: [{ digest: unknownConfig.digest }, { digest: unknownBlob.digest }],
          },
        ),
        manifestIsUnknown('v1'),
      ],
    },
    {
      title: 'end-7a: every missing child of an index is one MANIFEST_BLOB_UNKNOWN that names its digest',
      steps: [
        pushImageBlobs,
        pushManifest(image()),
        refusedManifest(index([image(), unknownChild]), {
          status: 400,
          code: 'MANIFEST_BLOB_UNKNOWN',
          details: [{ digest: unknownChild.digest }],
        }),
        manifestIsUnknown('v1'),
      ],
    },
    {
      title: 'end-7a: blobs of another repository do not count',
      steps: [
        pushBlob(config, '{other}'),
        pushBlob(layer, '{other}'),
        refusedManifest(image(), {
          status: 400,
          code: 'MANIFEST_BLOB_UNKNOWN',
          details: [{ digest: config.digest }, { digest: layer.digest }],
        }),
      ],
    },
    {
      title: 'end-7a: a blob is no child of an index',
      steps: [
        pushImageBlobs,
        refusedManifest(index([], { manifests: [describe(config, OCI_MANIFEST)] }), {
          status: 400,
          code: 'MANIFEST_BLOB_UNKNOWN',
          details: [{ digest: config.digest }],
        }),
      ],
    },
    {
      title: 'end-7a: the empty descriptor is a blob like any other',
      steps: [
        refusedManifest(image({ config: describe(emptyJson, OCI_EMPTY), layers: [] }), {
          status: 400,
          code: 'MANIFEST_BLOB_UNKNOWN',
          details: [{ digest: emptyJson.digest }],
        }),
      ],
    },
    {
      title: 'end-7a: a manifest refused for a missing blob is accepted once the blob is there',
      steps: [
        pushBlob(config),
        refusedManifest(image(), { status: 400, code: 'MANIFEST_BLOB_UNKNOWN' }),
        pushBlob(layer),
        pushManifest(image(), 'v1'),
      ],
    },
  ],
};

export const manifestRefusalGroups: readonly Group[] = [syntax, mediaTypes, descriptors, unknownReferences];
