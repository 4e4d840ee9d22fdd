import { blob } from '../content.ts';
import {
  blobIsReadable,
  blobIsUnknown,
  type Call,
  type Group,
  patch,
  pushBlob,
  startUpload,
} from '../row.ts';

const hello = blob('hello');
const helloWorld = blob('hello, world');
const empty = blob('');
const UPLOAD_PATH = /^\/v2\/wire\/[^?]*\/blobs\/uploads\/[^/]/;
const WITHOUT_DIGEST = /^(?!.*[?&]digest=)/;

const uploadIs = (range: string): Call => ({
  send: 'GET {upload}',
  expect: { status: 204, headers: { Location: UPLOAD_PATH, Range: range }, body: '' },
});

const sizeInvalid = { status: 400, code: 'SIZE_INVALID' } as const;

const uploadIsGone: Call = {
  send: 'GET {upload}',
  expect: { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
};

const start: Group = {
  about: 'end-4a: starting an upload',
  rows: [
    {
      title: 'end-4a: POST answers 202 with a relative Location, an upload id and an empty range',
      steps: [
        {
          send: 'POST /v2/{repo}/blobs/uploads/',
          expect: {
            status: 202,
            headers: { Location: UPLOAD_PATH, 'Docker-Upload-UUID': /^[0-9a-f-]{32,36}$/i, Range: '0-0' },
            body: '',
          },
        },
      ],
    },
    {
      title: 'end-4a: a parameter the specification does not know is ignored',
      steps: [
        { send: 'POST /v2/{repo}/blobs/uploads/?ns=registry.example&x=1&x=2', expect: { status: 202 } },
      ],
    },
  ],
};

const chunks: Group = {
  about: 'end-5: chunks',
  rows: [
    {
      title: 'end-5: PATCH answers 202, the range so far and a Location without digest',
      steps: [
        startUpload(),
        {
          send: 'PATCH {upload}',
          headers: { 'Content-Type': 'application/octet-stream' },
          body: hello,
          expect: {
            status: 202,
            headers: { Location: UPLOAD_PATH, Range: '0-4', 'Docker-Upload-UUID': /./ },
            body: '',
          },
        },
        uploadIs('0-4'),
      ],
    },
    {
      title: 'end-5: chunks with Content-Range are appended in order',
      steps: [
        startUpload(),
        patch('hello', '0-4'),
        { ...patch(', world', '5-11'), expect: { status: 202, headers: { Range: '0-11' } } },
        { send: `PUT {upload}?digest=${helloWorld.digest}`, expect: { status: 201 } },
        blobIsReadable(helloWorld),
      ],
    },
    {
      title: 'end-5: a body of unknown length is appended as it comes',
      steps: [
        startUpload(),
        { ...patch('hello'), streamed: true },
        { ...patch(', world'), streamed: true },
        { send: `PUT {upload}?digest=${helloWorld.digest}`, expect: { status: 201 } },
        blobIsReadable(helloWorld),
      ],
    },
    {
      title: 'end-5: a digest parameter on PATCH is ignored and does not come back in Location',
      steps: [
        startUpload(),
        {
          send: `PATCH {upload}?digest=${helloWorld.digest}`,
          body: helloWorld,
          expect: { status: 202, headers: { Location: WITHOUT_DIGEST } },
        },
        { send: `PUT {upload}?digest=${helloWorld.digest}`, expect: { status: 201 } },
      ],
    },
    {
      title: 'end-5: a Content-Range as RFC 9110 writes it is understood too',
      steps: [
        startUpload(),
        patch('hello', 'bytes 0-4/5'),
        { ...patch('later', 'bytes 6-10/*'), expect: { status: 416, headers: { Range: '0-4' } } },
        { send: `PUT {upload}?digest=${hello.digest}`, expect: { status: 201 } },
      ],
    },
    {
      title: 'end-5: a chunk that leaves a gap or comes twice is 416 with the state of the upload',
      steps: [
        startUpload(),
        patch('hello', '0-4'),
        ...[
          ['later', '6-10'],
          ['hello', '0-4'],
        ].map(([body = '', range = '']) => ({
          ...patch(body, range),
          expect: { status: 416, headers: { Location: UPLOAD_PATH, Range: '0-4' } },
        })),
        uploadIs('0-4'),
        patch(', world', '5-11'),
        { send: `PUT {upload}?digest=${helloWorld.digest}`, expect: { status: 201 } },
      ],
    },
    ...['zero-four', '0-', '-4', '0', '0-4,5-9', '0x0-0x4'].map((range) => ({
      title: `end-5: a Content-Range of "${range}" is BLOB_UPLOAD_INVALID and appends nothing`,
      steps: [
        startUpload(),
        { ...patch('hello', range), expect: { status: 400, code: 'BLOB_UPLOAD_INVALID' } as const },
        uploadIs('0-0'),
        patch('hello', '0-4'),
      ],
    })),
    ...['0-9', '0-2'].map((range) => ({
      title: `end-5: five bytes under Content-Range ${range} are SIZE_INVALID and nothing is appended`,
      steps: [
        startUpload(),
        [{}, { streamed: true } as const].map((sent) => [
          { ...patch('hello', range), ...sent, expect: sizeInvalid },
          uploadIs('0-0'),
          {
            ...patch('hello', range),
            ...sent,
            send: `PUT {upload}?digest=${hello.digest}`,
            expect: sizeInvalid,
          },
          uploadIs('0-0'),
        ]),
        blobIsUnknown(hello),
        patch('hello', '0-4'),
        { send: `PUT {upload}?digest=${hello.digest}`, expect: { status: 201 } },
      ],
    })),
    {
      title: 'end-5: an upload belongs to its repository and is unknown under another',
      steps: [
        startUpload(),
        ...['PATCH', 'PUT', 'GET', 'DELETE'].map((method) => ({
          send: `${method} {elsewhere}${method === 'PUT' ? `?digest=${hello.digest}` : ''}`,
          ...(method === 'PATCH' ? { body: hello } : {}),
          expect: { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' } as const,
        })),
        uploadIs('0-0'),
      ],
    },
  ],
};

/** The Location that was given when the upload had so many bytes. */
const at = (offset: number | string) => `/v2/{repo}/blobs/uploads/{session}?offset=${offset}`;

const outOfOrder = (offset: number, range: string) => ({
  status: 416,
  code: 'BLOB_UPLOAD_INVALID' as const,
  headers: { Location: at(offset), Range: range },
});

const repeated: Group = {
  about: 'end-5, end-6: a Location says how far the upload was, so that nothing is added twice',
  rows: [
    {
      title: 'end-5: each Location has the offset',
      steps: [
        { ...startUpload(), expect: { status: 202, headers: { Location: /\?offset=0$/ } } },
        { ...patch('hello'), expect: { status: 202, headers: { Location: at(5) } } },
        uploadIs('0-4'),
        { ...patch(', world'), expect: { status: 202, headers: { Location: at(12) } } },
      ],
    },
    ...[{}, { streamed: true } as const].map((sent) => ({
      title: `end-5: a PATCH that is sent again to its Location is 416, and the upload can be finished (${sent.streamed ? 'of unknown length' : 'with a length'})`,
      steps: [
        startUpload(),
        { ...patch('hello'), ...sent, send: `PATCH ${at(0)}` },
        { ...patch('hello'), ...sent, send: `PATCH ${at(0)}`, expect: outOfOrder(5, '0-4') },
        { ...patch(', world'), ...sent },
        { ...patch(', world'), ...sent, send: `PATCH ${at(5)}`, expect: outOfOrder(12, '0-11') },
        { send: `PUT {upload}?digest=${helloWorld.digest}`, expect: { status: 201 } },
        blobIsReadable(helloWorld),
      ],
    })),
    {
      title: 'end-6: a PUT with the last chunk to the Location of an earlier one is 416, and adds nothing',
      steps: [
        startUpload(),
        patch('hello'),
        {
          send: `PUT ${at(0)}&digest=${helloWorld.digest}`,
          body: helloWorld,
          expect: outOfOrder(5, '0-4'),
        },
        { send: `PUT {upload}?digest=${helloWorld.digest}`, body: ', world', expect: { status: 201 } },
        blobIsReadable(helloWorld),
      ],
    },
    {
      title: 'end-6: a PUT without a body may go to any Location of the upload',
      steps: [
        startUpload(),
        patch('hello'),
        { send: `PUT ${at(0)}&digest=${hello.digest}`, expect: { status: 201 } },
        { send: `PUT ${at(5)}&digest=${hello.digest}`, expect: { status: 201 } },
        blobIsReadable(hello),
      ],
    },
    {
      title: 'end-5: whoever leaves the query of the Location out adds wherever the upload stands',
      steps: [
        startUpload(),
        ...['hello', ', world'].map((body) => ({
          ...patch(body),
          send: 'PATCH /v2/{repo}/blobs/uploads/{session}',
        })),
        {
          send: `PUT /v2/{repo}/blobs/uploads/{session}?digest=${helloWorld.digest}`,
          expect: { status: 201 },
        },
        blobIsReadable(helloWorld),
      ],
    },
    {
      title: 'end-5: Content-Range says where a chunk begins, whatever its Location says',
      steps: [
        startUpload(),
        { ...patch('hello', '0-4'), send: `PATCH ${at(7)}` },
        { ...patch(', world', '5-11'), send: `PATCH ${at(0)}` },
        { ...patch('!', '5-5'), expect: outOfOrder(12, '0-11') },
        { send: `PUT {upload}?digest=${helloWorld.digest}`, expect: { status: 201 } },
      ],
    },
    {
      title: 'end-5: an offset that is no number is 416',
      steps: [
        startUpload(),
        { ...patch('hello'), send: `PATCH ${at('x')}`, expect: outOfOrder(0, '0-0') },
        patch('hello', '0-4'),
      ],
    },
  ],
};

const status: Group = {
  about: 'end-13, end-14: asking about an upload and cancelling it',
  rows: [
    {
      title: 'end-13: GET of an upload without bytes answers 204 and the range 0-0',
      steps: [startUpload(), uploadIs('0-0')],
    },
    {
      title: 'end-13: GET follows the offset of the upload',
      steps: [startUpload(), patch('hello'), uploadIs('0-4'), patch(', world'), uploadIs('0-11')],
    },
    {
      title: 'end-14: DELETE cancels the upload, and then it is BLOB_UPLOAD_UNKNOWN to every method',
      steps: [
        startUpload(),
        patch('hello'),
        { send: 'DELETE {upload}', expect: { status: 204, body: '' } },
        uploadIsGone,
        { ...patch('more'), expect: { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' } },
        {
          send: `PUT {upload}?digest=${hello.digest}`,
          expect: { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
        },
        { send: 'DELETE {upload}', expect: { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' } },
        blobIsUnknown(hello),
      ],
    },
    {
      title: 'end-13: an upload id that was never given is BLOB_UPLOAD_UNKNOWN',
      steps: ['00000000-0000-4000-8000-000000000000', 'not-an-id', '%00', 'x'.repeat(2100)].map((id) => ({
        send: `GET /v2/{repo}/blobs/uploads/${id}`,
        expect: { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' } as const,
      })),
    },
    {
      title: 'end-13: a finished upload is gone',
      steps: [pushBlob(hello), uploadIsGone],
    },
  ],
};

const emptyBlob: Group = {
  about: 'the empty blob',
  rows: [
    {
      title: 'end-6: a blob of no bytes is pushed and pulled like any other',
      steps: [
        startUpload(),
        { send: `PUT {upload}?digest=${empty.digest}`, expect: { status: 201 } },
        blobIsReadable(empty),
        {
          send: `HEAD /v2/{repo}/blobs/${empty.digest}`,
          expect: { status: 200, headers: { 'Content-Length': '0' } },
        },
      ],
    },
  ],
};

export const uploadGroups: readonly Group[] = [start, chunks, repeated, status, emptyBlob];
