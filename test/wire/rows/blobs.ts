import { blob, config, image, index, layer } from '../content.ts';
import {
  blobIsReadable,
  blobIsUnknown,
  type Expectation,
  type Group,
  pushBlob,
  pushImageBlobs,
  pushManifest,
} from '../row.ts';

const alphabet = blob('abcdefghijklmnopqrstuvwxyz');
const empty = blob('');
const unpushed = blob('a blob that nobody pushed');
const url = `/v2/{repo}/blobs/${alphabet.digest}`;
const whole = {
  status: 200,
  headers: {
    'Content-Type': 'application/octet-stream',
    'Content-Length': '26',
    'Docker-Content-Digest': alphabet.digest,
    ETag: `"${alphabet.digest}"`,
    'Accept-Ranges': 'bytes',
  },
} satisfies Expectation;

const reads: Group = {
  about: 'end-2: reading a blob',
  rows: [
    {
      title: 'end-2: GET answers the bytes with their length, digest and ETag',
      steps: [pushBlob(alphabet), { send: `GET ${url}`, expect: { ...whole, body: alphabet } }],
    },
    {
      title: 'end-2: HEAD answers the same headers without the bytes',
      steps: [pushBlob(alphabet), { send: `HEAD ${url}`, expect: whole }],
    },
    {
      title: 'end-2: If-None-Match with the ETag is 304, with another one 200',
      steps: [
        pushBlob(alphabet),
        {
          send: `GET ${url}`,
          headers: { 'If-None-Match': `"${alphabet.digest}"` },
          expect: { status: 304, body: '', headers: { ETag: `"${alphabet.digest}"` } },
        },
        { send: `GET ${url}`, headers: { 'If-None-Match': '"other"' }, expect: { ...whole, body: alphabet } },
      ],
    },
    {
      title: 'end-2: If-None-Match may list several ETags, weak ones too (RFC 9110, 13.1.2)',
      steps: [
        pushBlob(alphabet),
        ...[`"other", "${alphabet.digest}"`, `W/"${alphabet.digest}"`].map((etags) => ({
          send: `GET ${url}`,
          headers: { 'If-None-Match': etags },
          expect: { status: 304, body: '' } as const,
        })),
      ],
    },
    {
      title: 'end-2: a digest the repository does not have is BLOB_UNKNOWN',
      steps: [
        pushBlob(alphabet),
        blobIsUnknown(unpushed),
        { send: `HEAD /v2/{repo}/blobs/${unpushed.digest}`, expect: { status: 404 } },
      ],
    },
    {
      title: 'end-2: a blob is BLOB_UNKNOWN in a repository it is not linked into',
      steps: [pushBlob(alphabet), pushBlob(layer, '{other}'), blobIsUnknown(alphabet, '{other}')],
    },
    {
      title: 'end-2: in a repository that does not exist every blob is BLOB_UNKNOWN',
      steps: [pushBlob(alphabet), blobIsUnknown(alphabet, '{other}')],
    },
    {
      title:
        "end-2: a digest with another one's bytes is not reachable under an algorithm it was not pushed with",
      steps: [pushBlob(alphabet), blobIsUnknown(blob('abcdefghijklmnopqrstuvwxyz', 'sha512'))],
    },
    {
      title: 'end-2: a malformed digest is DIGEST_INVALID',
      steps: ['sha256:abc', `sha256:${'A'.repeat(64)}`, 'md5:5d41402abc4b2a76b9719d911017c592', 'latest'].map(
        (digest) => ({
          send: `GET /v2/{repo}/blobs/${digest}`,
          expect: { status: 400, code: 'DIGEST_INVALID' } as const,
        }),
      ),
    },
  ],
};

/** Lists of ranges, and the parts that each is answered with. */
const lists: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    'bytes=0-1,4-5',
    [
      ['0-1', 'ab'],
      ['4-5', 'ef'],
    ],
  ],
  [
    'bytes=20-,0-0, 2-3',
    [
      ['20-25', 'uvwxyz'],
      ['0-0', 'a'],
      ['2-3', 'cd'],
    ],
  ],
  [
    'bytes=0-3,2-5,-1',
    [
      ['0-5', 'abcdef'],
      ['25-25', 'z'],
    ],
  ],
];

const partsOf = (parts: readonly (readonly [string, string])[]) =>
  `${parts
    .map(
      ([where, bytes]) =>
        `--BOUNDARY\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${where}/26\r\n\r\n${bytes}\r\n`,
    )
    .join('')}--BOUNDARY--\r\n`;

/** Ranges as clients ask for them, the part of `alphabet` each one names and where it lies. */
const satisfiable = [
  ['bytes=0-4', 'abcde', '0-4'],
  ['bytes=0-0', 'a', '0-0'],
  ['bytes=20-', 'uvwxyz', '20-25'],
  ['bytes=-3', 'xyz', '23-25'],
  ['bytes=-100', 'abcdefghijklmnopqrstuvwxyz', '0-25'],
  ['bytes=20-99', 'uvwxyz', '20-25'],
] as const;

const tooMany = Array.from({ length: 1025 }, () => '0-0').join();
const unsatisfiable = [
  'bytes=26-',
  'bytes=500-600',
  'bytes=500-0',
  'bytes=10-9',
  'bytes=-0',
  'bytes=26-,30-40',
  `bytes=${tooMany}`,
];
const ignored = ['lines=0-4', 'bytes=0-1,x-4', 'bytes=a-b', 'bytes=-', 'bytes'];

const ranges: Group = {
  about: 'end-2: reading a part of a blob',
  rows: [
    ...satisfiable.map(([range, part, where]) => ({
      title: `end-2: Range ${range} answers 206 with bytes ${where}`,
      steps: [
        pushBlob(alphabet),
        {
          send: `GET ${url}`,
          headers: { Range: range },
          expect: {
            status: 206,
            headers: { 'Content-Range': `bytes ${where}/26`, 'Content-Length': `${part.length}` },
            body: blob(part),
          },
        },
      ],
    })),
    ...lists.map(([range, parts]) => ({
      title: `end-2: Range ${range} answers 206 with ${parts.length} parts`,
      steps: [
        pushBlob(alphabet),
        {
          send: `GET ${url}`,
          headers: { Range: range },
          expect: {
            status: 206,
            headers: {
              'Content-Type': /^multipart\/byteranges; boundary=[\w-]+$/,
              'Content-Range': undefined,
            },
            parts: blob(partsOf(parts)),
          },
        },
      ],
    })),
    ...['bytes=3-5,40-50', 'bytes=3-4,4-5'].map((range) => ({
      title: `end-2: Range ${range}, of which one is left, answers 206 with that`,
      steps: [
        pushBlob(alphabet),
        {
          send: `GET ${url}`,
          headers: { Range: range },
          expect: { status: 206, headers: { 'Content-Range': 'bytes 3-5/26' }, body: blob('def') },
        },
      ],
    })),
    ...unsatisfiable.map((range) => ({
      title: `end-2: Range ${range.slice(0, 40)} of 26 bytes is 416 and names the size`,
      steps: [
        pushBlob(alphabet),
        {
          send: `GET ${url}`,
          headers: { Range: range },
          expect: { status: 416, headers: { 'Content-Range': 'bytes */26' } },
        },
      ],
    })),
    ...ignored.map((range) => ({
      title: `end-2: Range ${range} is ignored and answers the whole blob`,
      steps: [
        pushBlob(alphabet),
        { send: `GET ${url}`, headers: { Range: range }, expect: { status: 200, body: alphabet } },
      ],
    })),
    {
      title: 'end-2: no range of the empty blob can be satisfied',
      steps: [
        pushBlob(empty),
        {
          send: `GET /v2/{repo}/blobs/${empty.digest}`,
          headers: { Range: 'bytes=0-' },
          expect: { status: 416, headers: { 'Content-Range': 'bytes */0' } },
        },
      ],
    },
  ],
};

const used = image();

const deletes: Group = {
  about: 'end-10: deleting a blob',
  rows: [
    {
      title: 'end-10: DELETE answers 202, and then the blob is BLOB_UNKNOWN to every method',
      steps: [
        pushBlob(alphabet),
        { send: `DELETE ${url}`, expect: { status: 202, body: '' } },
        blobIsUnknown(alphabet),
        { send: `HEAD ${url}`, expect: { status: 404 } },
        { send: `DELETE ${url}`, expect: { status: 404, code: 'BLOB_UNKNOWN' } },
      ],
    },
    {
      title: 'end-10: a deleted blob can be pushed again',
      steps: [
        pushBlob(alphabet),
        { send: `DELETE ${url}`, expect: { status: 202 } },
        pushBlob(alphabet),
        blobIsReadable(alphabet),
      ],
    },
    {
      title:
        'end-10: a blob that a manifest uses is DENIED by the name of the manifest until that is deleted',
      steps: [
        pushImageBlobs,
        pushManifest(used, 'v1'),
        ...[config, layer].map(({ digest }) => ({
          send: `DELETE /v2/{repo}/blobs/${digest}`,
          expect: { status: 409, code: 'DENIED', message: used.digest } as const,
        })),
        blobIsReadable(layer),
        { send: `DELETE /v2/{repo}/manifests/${used.digest}`, expect: { status: 202 } },
        { send: `DELETE /v2/{repo}/blobs/${layer.digest}`, expect: { status: 202 } },
        { send: `DELETE /v2/{repo}/blobs/${config.digest}`, expect: { status: 202 } },
        blobIsUnknown(layer),
      ],
    },
    {
      title: 'end-10: what uses a blob in one repository does not hold it in another',
      steps: [
        pushImageBlobs,
        pushManifest(used, 'v1'),
        pushBlob(layer, '{other}'),
        { send: `DELETE /v2/{other}/blobs/${layer.digest}`, expect: { status: 202 } },
        blobIsReadable(layer),
      ],
    },
    {
      title: 'end-10: an index does not make its children deletable as blobs',
      steps: [
        pushImageBlobs,
        pushManifest(used),
        pushManifest(index([used]), 'list'),
        {
          send: `DELETE /v2/{repo}/blobs/${used.digest}`,
          expect: { status: 404, code: 'BLOB_UNKNOWN' },
        },
      ],
    },
    {
      title: 'end-10: a digest nobody pushed is BLOB_UNKNOWN, a malformed one DIGEST_INVALID',
      steps: [
        {
          send: `DELETE /v2/{repo}/blobs/${unpushed.digest}`,
          expect: { status: 404, code: 'BLOB_UNKNOWN' },
        },
        { send: 'DELETE /v2/{repo}/blobs/sha256:abc', expect: { status: 400, code: 'DIGEST_INVALID' } },
      ],
    },
  ],
};

export const blobGroups: readonly Group[] = [reads, ranges, deletes];
