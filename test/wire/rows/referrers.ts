import {
  artifact,
  blob,
  config,
  type Descriptor,
  DOCKER_MANIFEST,
  describe,
  describeManifest,
  image,
  index,
  layer,
  type ManifestContent,
  OCI_CONFIG,
  OCI_INDEX,
} from '../content.ts';
import {
  type Call,
  type Expectation,
  type Group,
  pushArtifactBlobs,
  pushImageBlobs,
  pushManifest,
} from '../row.ts';

const SBOM = 'application/vnd.example.sbom';
const SIGNATURE = 'application/vnd.example.signature+json';
const subjectOf = (manifest: ManifestContent) => ({ subject: describeManifest(manifest) });
const subject = image();
const absent = image({ annotations: { pushed: 'never' } });

const sbom = artifact({ ...subjectOf(subject), annotations: { format: 'spdx', empty: '' } });
const signature = artifact({ ...subjectOf(subject), artifactType: SIGNATURE });
const plain = image({ ...subjectOf(subject), config: describe(config, OCI_CONFIG) });
const typedIndex = index([], { ...subjectOf(subject), artifactType: SBOM });
const plainIndex = index([], { ...subjectOf(subject), annotations: { of: 'children' } });
const early = artifact(subjectOf(absent));

const INDEX_TYPE = { 'Content-Type': OCI_INDEX };

const listed = (referrers: readonly Descriptor[], query = '', of = subject, repo = '{repo}'): Call => ({
  send: `GET /v2/${repo}/referrers/${of.digest}${query}`,
  expect: { status: 200, headers: INDEX_TYPE, referrers },
});

const filtered = (artifactType: string, referrers: readonly Descriptor[]): Call => ({
  send: `GET /v2/{repo}/referrers/${subject.digest}?artifactType=${encodeURIComponent(artifactType)}`,
  expect: { status: 200, headers: { ...INDEX_TYPE, 'OCI-Filters-Applied': 'artifactType' }, referrers },
});

const pushed = (manifest: ManifestContent, of = subject): Call => ({
  ...pushManifest(manifest),
  expect: { status: 201, headers: { 'OCI-Subject': of.digest } },
});

const sbomEntry: Descriptor = {
  ...describeManifest(sbom),
  artifactType: SBOM,
  annotations: { format: 'spdx', empty: '' },
};
const signatureEntry: Descriptor = { ...describeManifest(signature), artifactType: SIGNATURE };
const typedIndexEntry: Descriptor = { ...describeManifest(typedIndex), artifactType: SBOM };

const subjects: Group = {
  about: 'end-7a: pushing a manifest with a subject',
  rows: [
    {
      title: 'end-7a: OCI-Subject names the subject, by tag and by digest, of images and indexes',
      steps: [
        pushImageBlobs,
        pushArtifactBlobs,
        pushManifest(subject, 'v1'),
        pushed(sbom),
        { ...pushed(signature), send: 'PUT /v2/{repo}/manifests/signature' },
        pushed(typedIndex),
      ],
    },
    {
      title: 'end-7a: a subject that does not exist is accepted, and listed before and after it does',
      steps: [
        pushArtifactBlobs,
        pushed(early, absent),
        listed([{ ...describeManifest(early), artifactType: SBOM }], '', absent),
        pushImageBlobs,
        pushManifest(absent, 'v1'),
        listed([{ ...describeManifest(early), artifactType: SBOM }], '', absent),
      ],
    },
    {
      title: 'end-7a: a manifest without a subject gets no OCI-Subject',
      steps: [
        pushImageBlobs,
        {
          ...pushManifest(subject, 'v1'),
          expect: { status: 201, headers: { 'OCI-Subject': undefined } },
        },
      ],
    },
  ],
};

const lists: Group = {
  about: 'end-12a: listing referrers',
  rows: [
    {
      title: 'end-12a: an image index lists every referrer with its artifactType and annotations',
      steps: [
        pushImageBlobs,
        pushArtifactBlobs,
        pushManifest(subject, 'v1'),
        [sbom, signature, typedIndex].map((manifest) => pushed(manifest)),
        listed([sbomEntry, signatureEntry, typedIndexEntry]),
      ],
    },
    {
      title: 'end-12a: an image without artifactType is listed under the media type of its config',
      steps: [
        pushImageBlobs,
        pushed(plain),
        listed([{ ...describeManifest(plain), artifactType: OCI_CONFIG }]),
      ],
    },
    {
      title: 'end-12a: an image with an empty artifactType is listed under the media type of its config',
      steps: [
        pushImageBlobs,
        pushed(image({ ...subjectOf(subject), artifactType: '' })),
        listed([
          {
            ...describeManifest(image({ ...subjectOf(subject), artifactType: '' })),
            artifactType: OCI_CONFIG,
          },
        ]),
      ],
    },
    {
      title: 'end-12a: an index without artifactType is listed without one',
      steps: [
        pushed(plainIndex),
        listed([{ ...describeManifest(plainIndex), annotations: { of: 'children' } }]),
      ],
    },
    {
      title: 'end-12a: a referrer pushed twice, or under two tags, is listed once',
      steps: [
        pushArtifactBlobs,
        pushed(signature),
        pushManifest(signature, 'a'),
        pushManifest(signature, 'b'),
        listed([signatureEntry]),
      ],
    },
    {
      title: 'end-12a: an unknown digest, or an unknown repository, has an empty index and is no 404',
      steps: [listed([]), pushImageBlobs, pushManifest(subject, 'v1'), listed([]), listed([], '', absent)],
    },
    {
      title: 'end-12a: referrers belong to their repository',
      steps: [pushArtifactBlobs, pushed(signature), listed([], '', subject, '{other}')],
    },
    {
      title: 'end-12a: a referrer of a referrer is listed under that alone',
      steps: [
        pushArtifactBlobs,
        pushed(signature),
        pushed(artifact(subjectOf(signature)), signature),
        listed([signatureEntry]),
        listed([{ ...describeManifest(artifact(subjectOf(signature))), artifactType: SBOM }], '', signature),
      ],
    },
    {
      title: 'end-12a: a deleted referrer is listed no more, one that lost its tag still is',
      steps: [
        pushArtifactBlobs,
        pushManifest(sbom, 'sbom'),
        pushManifest(signature, 'signature'),
        { send: `DELETE /v2/{repo}/manifests/${sbom.digest}`, expect: { status: 202 } },
        { send: 'DELETE /v2/{repo}/manifests/signature', expect: { status: 202 } },
        listed([signatureEntry]),
      ],
    },
    {
      title: 'end-12a: a subject can be deleted, and its referrers stay listed',
      steps: [
        pushImageBlobs,
        pushArtifactBlobs,
        pushManifest(subject, 'v1'),
        pushed(signature),
        { send: `DELETE /v2/{repo}/manifests/${subject.digest}`, expect: { status: 202 } },
        listed([signatureEntry]),
      ],
    },
    {
      title: 'end-12a: a subject with a sha512 digest is found under that digest',
      steps: [
        pushArtifactBlobs,
        pushed(artifact(subjectOf(image({}, 'sha512'))), image({}, 'sha512')),
        listed(
          [{ ...describeManifest(artifact(subjectOf(image({}, 'sha512')))), artifactType: SBOM }],
          '',
          image({}, 'sha512'),
        ),
      ],
    },
    {
      title: 'end-12a: a malformed digest is DIGEST_INVALID',
      steps: ['sha256:abc', 'latest', 'md5:5d41402abc4b2a76b9719d911017c592', 'sha256'].map((digest) => ({
        send: `GET /v2/{repo}/referrers/${digest}`,
        expect: { status: 400, code: 'DIGEST_INVALID' } satisfies Expectation,
      })),
    },
  ],
};

const filters: Group = {
  about: 'end-12b: filtering referrers',
  rows: [
    {
      title: 'end-12b: artifactType selects, and OCI-Filters-Applied says so',
      steps: [
        pushArtifactBlobs,
        [sbom, signature, typedIndex, plainIndex].map((manifest) => pushed(manifest)),
        filtered(SIGNATURE, [signatureEntry]),
        filtered(SBOM, [sbomEntry, typedIndexEntry]),
      ],
    },
    {
      title: 'end-12b: the filter sees the media type of the config where it stands for the artifactType',
      steps: [
        pushImageBlobs,
        pushed(plain),
        filtered(OCI_CONFIG, [{ ...describeManifest(plain), artifactType: OCI_CONFIG }]),
      ],
    },
    {
      title: 'end-12b: a filter that nothing matches answers an empty index, filtered',
      steps: [filtered(DOCKER_MANIFEST, []), pushArtifactBlobs, pushed(sbom), filtered(DOCKER_MANIFEST, [])],
    },
    {
      title: 'end-12b: without a filter OCI-Filters-Applied is absent, whatever other parameters there are',
      steps: [
        pushArtifactBlobs,
        pushed(signature),
        {
          send: `GET /v2/{repo}/referrers/${subject.digest}?ns=registry.example`,
          expect: {
            status: 200,
            headers: { ...INDEX_TYPE, 'OCI-Filters-Applied': undefined },
            referrers: [signatureEntry],
          },
        },
      ],
    },
    {
      title: 'end-12a: what a blob of the same digest is does not matter',
      steps: [
        pushImageBlobs,
        { ...listed([]), send: `GET /v2/{repo}/referrers/${layer.digest}` },
        { ...listed([]), send: `GET /v2/{repo}/referrers/${blob('never pushed').digest}` },
      ],
    },
  ],
};

export const referrerGroups: readonly Group[] = [subjects, lists, filters];
