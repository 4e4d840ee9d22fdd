import { image, index } from '../content.ts';
import {
  type Call,
  type Group,
  manifestIsReadable,
  manifestIsUnknown,
  pushImageBlobs,
  pushManifest,
} from '../row.ts';

const MAX_TAGS = 20;
const v1 = image();
const v2 = image({ annotations: { version: '2' } });
const inSha512 = image({}, 'sha512');
const tagged = (manifest: typeof v1, tags: readonly string[], expect: Call['expect']): Call => ({
  ...pushManifest(manifest),
  send: `PUT /v2/{repo}/manifests/${manifest.digest}?${tags.map((tag) => `tag=${tag}`).join('&')}`,
  expect,
});

const manyTags = (count: number) => Array.from({ length: count }, (_, number) => `v${100 + number}`);

const tagsAre = (...tags: readonly string[]): Call => ({
  send: 'GET /v2/{repo}/tags/list',
  expect: { status: 200, json: { name: '{repo}', tags } },
});

const tagParameters: Group = {
  about: 'end-7b: pushing a manifest with tags as parameters',
  rows: [
    ...[v1, inSha512].map((manifest) => ({
      title: `end-7b: every tag works at once and is named by OCI-Tag (${manifest.digest.slice(0, 6)})`,
      steps: [
        pushImageBlobs,
        tagged(manifest, ['a', 'b'], {
          status: 201,
          headers: { 'OCI-Tag': /^a, ?b$/, 'Docker-Content-Digest': manifest.digest },
        }),
        manifestIsReadable(manifest, 'a'),
        manifestIsReadable(manifest, 'b'),
        tagsAre('a', 'b'),
      ],
    })),
    {
      title: 'end-7b: tags that exist move, and others stay',
      steps: [
        pushImageBlobs,
        tagged(v1, ['a', 'b'], { status: 201 }),
        tagged(v2, ['b', 'c'], { status: 201 }),
        manifestIsReadable(v1, 'a'),
        manifestIsReadable(v2, 'b'),
        manifestIsReadable(v2, 'c'),
      ],
    },
    {
      title: 'end-7b: an empty tag is none',
      steps: [pushImageBlobs, tagged(v1, ['a', ''], { status: 201 }), tagsAre('a')],
    },
    {
      title: 'end-7b: a tag named twice is one tag',
      steps: [pushImageBlobs, tagged(v1, ['a', 'a'], { status: 201 }), tagsAre('a')],
    },
    {
      title: 'end-7b: an index takes tags as well',
      steps: [
        pushImageBlobs,
        pushManifest(v1),
        tagged(index([v1]), ['list'], { status: 201, headers: { 'OCI-Tag': 'list' } }),
        manifestIsReadable(index([v1]), 'list'),
      ],
    },
    {
      title: `end-7b: ${MAX_TAGS} tags are accepted`,
      steps: [
        pushImageBlobs,
        tagged(v1, manyTags(MAX_TAGS), { status: 201 }),
        tagsAre(...manyTags(MAX_TAGS)),
      ],
    },
    {
      title: `end-7b: more than ${MAX_TAGS} tags are 414, and nothing is pushed`,
      steps: [
        pushImageBlobs,
        tagged(v1, manyTags(MAX_TAGS + 1), { status: 414 }),
        manifestIsUnknown(v1.digest),
        manifestIsUnknown('v100'),
      ],
    },
    ...['.bad', 'a%2Fb', 'v'.repeat(129)].map((bad) => ({
      title: `end-7b: the tag "${bad.slice(0, 10)}" among others is MANIFEST_INVALID, and nothing is pushed`,
      steps: [
        pushImageBlobs,
        tagged(v1, ['a', bad], { status: 400, code: 'MANIFEST_INVALID' }),
        manifestIsUnknown(v1.digest),
        manifestIsUnknown('a'),
      ],
    })),
    {
      title: 'end-7b: tags of a manifest whose digest does not match are not created',
      steps: [
        pushImageBlobs,
        {
          ...tagged(v2, ['a'], { status: 400, code: 'DIGEST_INVALID' }),
          body: v1,
        },
        manifestIsUnknown('a'),
      ],
    },
  ],
};

const deletes: Group = {
  about: 'end-9: deleting tags and manifests',
  rows: [
    {
      title: 'end-9: DELETE by tag answers 202 and removes that tag alone',
      steps: [
        pushImageBlobs,
        tagged(v1, ['a', 'b'], { status: 201 }),
        { send: 'DELETE /v2/{repo}/manifests/a', expect: { status: 202, body: '' } },
        manifestIsUnknown('a'),
        manifestIsReadable(v1, 'b'),
        manifestIsReadable(v1),
        tagsAre('b'),
        { send: 'DELETE /v2/{repo}/manifests/b', expect: { status: 202 } },
        tagsAre(),
        manifestIsReadable(v1),
      ],
    },
    {
      title: 'end-9: DELETE by digest answers 202 and removes the manifest with all its tags',
      steps: [
        pushImageBlobs,
        tagged(v1, ['a', 'b'], { status: 201 }),
        pushManifest(v2, 'c'),
        { send: `DELETE /v2/{repo}/manifests/${v1.digest}`, expect: { status: 202, body: '' } },
        manifestIsUnknown(v1.digest),
        manifestIsUnknown('a'),
        manifestIsUnknown('b'),
        tagsAre('c'),
      ],
    },
    {
      title: 'end-9: a tag that moved away is not removed with the manifest it named before',
      steps: [
        pushImageBlobs,
        pushManifest(v1, 'latest'),
        pushManifest(v2, 'latest'),
        { send: `DELETE /v2/{repo}/manifests/${v1.digest}`, expect: { status: 202 } },
        manifestIsReadable(v2, 'latest'),
      ],
    },
    {
      title: 'end-9: a deleted manifest can be pushed again',
      steps: [
        pushImageBlobs,
        pushManifest(v1, 'v1'),
        { send: `DELETE /v2/{repo}/manifests/${v1.digest}`, expect: { status: 202 } },
        pushManifest(v1, 'v1'),
        manifestIsReadable(v1, 'v1'),
      ],
    },
    {
      title:
        'end-9: a manifest that an index refers to is DENIED by the name of the index until that is deleted',
      steps: [
        pushImageBlobs,
        pushManifest(v1, 'v1'),
        pushManifest(index([v1]), 'list'),
        {
          send: `DELETE /v2/{repo}/manifests/${v1.digest}`,
          expect: { status: 409, code: 'DENIED', message: index([v1]).digest },
        },
        manifestIsReadable(v1, 'v1'),
        { send: 'DELETE /v2/{repo}/manifests/v1', expect: { status: 202 } },
        { send: `DELETE /v2/{repo}/manifests/${index([v1]).digest}`, expect: { status: 202 } },
        { send: `DELETE /v2/{repo}/manifests/${v1.digest}`, expect: { status: 202 } },
        manifestIsUnknown(v1.digest),
      ],
    },
    {
      title: 'end-9: an unknown tag or digest is MANIFEST_UNKNOWN, in an unknown repository too',
      steps: ['{other}', '{repo}'].flatMap((repository) => [
        ...(repository === '{repo}' ? [pushImageBlobs, pushManifest(v2, 'v2')] : []),
        ...['v1', v1.digest].map((reference) => ({
          send: `DELETE /v2/${repository}/manifests/${reference}`,
          expect: { status: 404, code: 'MANIFEST_UNKNOWN' } as const,
        })),
      ]),
    },
    {
      title: 'end-9: a manifest deleted in one repository stays in another',
      steps: [
        pushManifest(index([]), 'v1'),
        pushManifest(index([]), 'v1', '{other}'),
        { send: `DELETE /v2/{other}/manifests/${index([]).digest}`, expect: { status: 202 } },
        manifestIsReadable(index([]), 'v1'),
      ],
    },
  ],
};

export const manifestTagGroups: readonly Group[] = [tagParameters, deletes];
