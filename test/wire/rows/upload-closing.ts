import { blob } from '../content.ts';
import {
  blobIsReadable,
  blobIsUnknown,
  type Call,
  type Expectation,
  type Group,
  patch,
  type Row,
  startUpload,
} from '../row.ts';

const hello = blob('hello');
const helloWorld = blob('hello, world');
const claimed = blob('what a mismatching upload claims to be');
const twiceClaimed = blob('the second claim of an upload with two digests');
const long = blob('hello, world', 'sha512');

const created = (digest: string): Expectation => ({
  status: 201,
  headers: {
    Location: `/v2/{repo}/blobs/${digest}`,
    'Docker-Content-Digest': digest,
    'Content-Length': '0',
  },
  body: '',
});

const uploadIsGone: Call = {
  send: 'GET {upload}',
  expect: { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
};

const close: Group = {
  about: 'end-6: closing an upload',
  rows: [
    {
      title: 'end-6: PUT with the whole blob answers 201 with its Location and digest',
      steps: [
        startUpload(),
        {
          send: `PUT {upload}?digest=${hello.digest}`,
          headers: { 'Content-Type': 'application/octet-stream' },
          body: hello,
          expect: created(hello.digest),
        },
        blobIsReadable(hello),
      ],
    },
    {
      title: 'end-6: an empty PUT closes what PATCH sent',
      steps: [
        startUpload(),
        patch('hello'),
        { send: `PUT {upload}?digest=${hello.digest}`, expect: created(hello.digest) },
        blobIsReadable(hello),
      ],
    },
    {
      title: 'end-6: PUT may carry the last chunk, with or without its Content-Range',
      steps: [{}, { 'Content-Range': '5-11' }].flatMap((headers) => [
        startUpload(),
        patch('hello', '0-4'),
        {
          send: `PUT {upload}?digest=${helloWorld.digest}`,
          headers,
          body: ', world',
          expect: created(helloWorld.digest),
        },
        blobIsReadable(helloWorld),
      ]),
    },
    {
      title: 'end-6: PUT takes a body of unknown length',
      steps: [
        startUpload(),
        {
          send: `PUT {upload}?digest=${hello.digest}`,
          body: hello,
          streamed: true,
          expect: created(hello.digest),
        },
        blobIsReadable(hello),
      ],
    },
    {
      title: 'end-6: a last chunk out of order is 416, and the upload goes on where it was',
      steps: [
        startUpload(),
        patch('hello', '0-4'),
        {
          send: `PUT {upload}?digest=${helloWorld.digest}`,
          headers: { 'Content-Range': '6-12' },
          body: ', world',
          expect: { status: 416, headers: { Location: /^\/v2\//, Range: '0-4' } },
        },
        { send: 'GET {upload}', expect: { status: 204, headers: { Range: '0-4' } } },
        {
          send: `PUT {upload}?digest=${helloWorld.digest}`,
          headers: { 'Content-Range': '5-11' },
          body: ', world',
          expect: created(helloWorld.digest),
        },
      ],
    },
    {
      title: 'end-6: PUT repeated after its success is 201 again',
      steps: [
        startUpload(),
        patch('hello'),
        { send: `PUT {upload}?digest=${hello.digest}`, expect: created(hello.digest) },
        { send: `PUT {upload}?digest=${hello.digest}`, expect: created(hello.digest) },
        blobIsReadable(hello),
      ],
    },
    {
      title: 'end-6: PUT with the whole blob repeated after its success is 201 again',
      steps: [
        startUpload(),
        { send: `PUT {upload}?digest=${hello.digest}`, body: hello, expect: created(hello.digest) },
        { send: `PUT {upload}?digest=${hello.digest}`, body: hello, expect: created(hello.digest) },
        blobIsReadable(hello),
      ],
    },
    {
      title: 'end-6: a sha512 digest is verified, stored and echoed as such',
      steps: [
        startUpload(),
        { send: `PUT {upload}?digest=${long.digest}`, body: long, expect: created(long.digest) },
        {
          send: `GET /v2/{repo}/blobs/${long.digest}`,
          expect: { status: 200, headers: { 'Docker-Content-Digest': long.digest }, body: long },
        },
        {
          send: `HEAD /v2/{repo}/blobs/${long.digest}`,
          expect: { status: 200, headers: { 'Docker-Content-Digest': long.digest, 'Content-Length': '12' } },
        },
        { send: `DELETE /v2/{repo}/blobs/${long.digest}`, expect: { status: 202 } },
        blobIsUnknown(long),
      ],
    },
    {
      title: 'end-6: a digest may be percent-encoded, named twice, and stand among unknown parameters',
      steps: [
        startUpload(),
        {
          send: `PUT {upload}?x=1&digest=${encodeURIComponent(hello.digest)}&x=2&digest=${hello.digest}`,
          body: hello,
          expect: created(hello.digest),
        },
      ],
    },
  ],
};

/** A PUT whose digest parameter cannot be used: refused, and the upload is as it was. */
const refusesParameter = (title: string, query: string): Row => ({
  title: `end-6: PUT ${title} is DIGEST_INVALID, and the upload stays usable`,
  steps: [
    startUpload(),
    patch('hello'),
    { send: `PUT {upload}${query}`, expect: { status: 400, code: 'DIGEST_INVALID' } },
    { send: `PUT {upload}${query}`, body: ', world', expect: { status: 400, code: 'DIGEST_INVALID' } },
    { send: 'GET {upload}', expect: { status: 204, headers: { Range: '0-4' } } },
    { send: `PUT {upload}?digest=${hello.digest}`, expect: created(hello.digest) },
  ],
});

const badDigests: Group = {
  about: 'end-6: digests that do not hold',
  rows: [
    {
      title: 'end-6: bytes that do not match are DIGEST_INVALID, not readable, and the upload is gone',
      steps: [
        startUpload(),
        {
          send: `PUT {upload}?digest=${claimed.digest}`,
          body: hello,
          expect: { status: 400, code: 'DIGEST_INVALID' },
        },
        blobIsUnknown(claimed),
        blobIsUnknown(hello),
        uploadIsGone,
      ],
    },
    {
      title: 'end-6: chunks that do not match are DIGEST_INVALID, not readable, and the upload is gone',
      steps: [
        startUpload(),
        patch('hello'),
        {
          send: `PUT {upload}?digest=${claimed.digest}`,
          expect: { status: 400, code: 'DIGEST_INVALID' },
        },
        blobIsUnknown(claimed),
        blobIsUnknown(hello),
        uploadIsGone,
      ],
    },
    refusesParameter('without a digest', ''),
    refusesParameter('with an empty digest', '?digest='),
    refusesParameter('with a digest too short', '?digest=sha256:abc'),
    refusesParameter('with a digest in upper case', `?digest=sha256:${'A'.repeat(64)}`),
    refusesParameter('with a digest without algorithm', `?digest=${'a'.repeat(64)}`),
    refusesParameter('with an unsupported algorithm', '?digest=md5:5d41402abc4b2a76b9719d911017c592'),
    refusesParameter('with two digests', `?digest=${hello.digest}&digest=${twiceClaimed.digest}`),
  ],
};

export const uploadClosingGroups: readonly Group[] = [close, badDigests];
