import { blob } from '../content.ts';
import { blobIsReadable, blobIsUnknown, type Expectation, type Group, patch, pushBlob } from '../row.ts';

const hello = blob('hello');
const long = blob('hello in sha512', 'sha512');
const claimed = blob('what a single POST wrongly claims to be');
const shared = blob('a blob that is mounted from one repository into another');
const anonymous = blob('a blob that is mounted without naming its repository');
const unpushed = blob('a blob that no row ever pushes');
const DIGEST_INVALID: Expectation = { status: 400, code: 'DIGEST_INVALID' };

const created = (digest: string): Expectation => ({
  status: 201,
  headers: { Location: `/v2/{repo}/blobs/${digest}`, 'Docker-Content-Digest': digest },
  body: '',
});

const STARTED: Expectation = { status: 202, headers: { Location: /\/blobs\/uploads\//, Range: '0-0' } };

const singlePost: Group = {
  about: 'end-4b: a blob in one POST',
  rows: [
    ...[hello, long].map((content) => ({
      title: `end-4b: POST with a ${content.digest.slice(0, 6)} digest and the bytes answers 201`,
      steps: [
        {
          send: `POST /v2/{repo}/blobs/uploads/?digest=${content.digest}`,
          headers: { 'Content-Type': 'application/octet-stream' },
          body: content,
          expect: created(content.digest),
        },
        blobIsReadable(content),
      ],
    })),
    {
      title: 'end-4b: bytes that do not match are DIGEST_INVALID and not readable',
      steps: [
        {
          send: `POST /v2/{repo}/blobs/uploads/?digest=${claimed.digest}`,
          body: hello,
          expect: DIGEST_INVALID,
        },
        blobIsUnknown(claimed),
        blobIsUnknown(hello),
      ],
    },
    {
      title: 'end-4b: a malformed digest, or one of an unsupported algorithm, is DIGEST_INVALID',
      steps: ['sha256:abc', 'md5:5d41402abc4b2a76b9719d911017c592', 'hello'].map((digest) => ({
        send: `POST /v2/{repo}/blobs/uploads/?digest=${digest}`,
        body: hello,
        expect: DIGEST_INVALID,
      })),
    },
  ],
};

const algorithm: Group = {
  about: 'end-4c: announcing the digest algorithm',
  rows: [
    {
      title: 'end-4c: POST with digest-algorithm=sha512 starts an upload that a sha512 digest closes',
      steps: [
        { send: 'POST /v2/{repo}/blobs/uploads/?digest-algorithm=sha512', expect: STARTED },
        patch('hello '),
        patch('in sha512'),
        { send: `PUT {upload}?digest=${long.digest}`, expect: created(long.digest) },
        blobIsReadable(long),
      ],
    },
    {
      title: 'end-4c: an algorithm the registry does not have is DIGEST_INVALID',
      steps: ['md5', 'sha256x'].map((name) => ({
        send: `POST /v2/{repo}/blobs/uploads/?digest-algorithm=${name}`,
        expect: DIGEST_INVALID,
      })),
    },
  ],
};

const mountFrom: Group = {
  about: 'end-11: mounting a blob',
  rows: [
    {
      title: 'end-11: a blob of another repository is readable at once',
      steps: [
        pushBlob(shared, '{other}'),
        blobIsUnknown(shared),
        {
          send: `POST /v2/{repo}/blobs/uploads/?mount=${shared.digest}&from={other}`,
          expect: created(shared.digest),
        },
        blobIsReadable(shared),
      ],
    },
    {
      title: 'end-11: a mounted blob outlives the one it was mounted from',
      steps: [
        pushBlob(shared, '{other}'),
        {
          send: `POST /v2/{repo}/blobs/uploads/?mount=${encodeURIComponent(shared.digest)}&from={other}`,
          expect: created(shared.digest),
        },
        { send: `DELETE /v2/{other}/blobs/${shared.digest}`, expect: { status: 202 } },
        blobIsUnknown(shared, '{other}'),
        blobIsReadable(shared),
      ],
    },
    {
      title: 'end-11: a blob its source does not have starts an ordinary upload',
      steps: [
        pushBlob(hello, '{other}'),
        {
          send: `POST /v2/{repo}/blobs/uploads/?mount=${unpushed.digest}&from={other}`,
          expect: STARTED,
        },
        patch('hello'),
        { send: `PUT {upload}?digest=${hello.digest}`, expect: created(hello.digest) },
      ],
    },
    {
      title: 'end-11: an unknown source repository starts an ordinary upload',
      steps: [
        {
          send: `POST /v2/{repo}/blobs/uploads/?mount=${unpushed.digest}&from={other}`,
          expect: STARTED,
        },
      ],
    },
    {
      title: 'end-11: without from, a blob that some repository has is mounted',
      steps: [
        pushBlob(anonymous, '{other}'),
        {
          send: `POST /v2/{repo}/blobs/uploads/?mount=${anonymous.digest}`,
          expect: created(anonymous.digest),
        },
        blobIsReadable(anonymous),
      ],
    },
    {
      title: 'end-11: without from, a blob that no repository has starts an ordinary upload',
      steps: [{ send: `POST /v2/{repo}/blobs/uploads/?mount=${unpushed.digest}`, expect: STARTED }],
    },
    {
      title: 'end-11: what no digest can be starts an ordinary upload',
      steps: ['sha256:abc', 'md5:5d41402abc4b2a76b9719d911017c592', ''].flatMap((digest) =>
        ['&from={other}', ''].map((from) => ({
          send: `POST /v2/{repo}/blobs/uploads/?mount=${digest}${from}`,
          expect: STARTED,
        })),
      ),
    },
    {
      title: 'end-11: a source that no repository of this registry can be starts an ordinary upload',
      steps: ['Not/A/Name', '_x/y', 'registry.example:5000/team/app', 'a'.repeat(300)].map((from) => ({
        send: `POST /v2/{repo}/blobs/uploads/?mount=${unpushed.digest}&from=${from}`,
        expect: STARTED,
      })),
    },
    {
      title: 'end-11: an empty from is none',
      steps: [
        pushBlob(anonymous, '{other}'),
        {
          send: `POST /v2/{repo}/blobs/uploads/?mount=${anonymous.digest}&from=`,
          expect: created(anonymous.digest),
        },
      ],
    },
    {
      title: 'end-4: an empty digest or digest-algorithm is none',
      steps: ['?digest=', '?digest-algorithm=', '?digest=&digest-algorithm=&mount=&from='].map((query) => ({
        send: `POST /v2/{repo}/blobs/uploads/${query}`,
        expect: STARTED,
      })),
    },
  ],
};

export const singlePostGroups: readonly Group[] = [singlePost, algorithm, mountFrom];
