import { layer, OCI_MANIFEST } from '../content.ts';
import { type Call, type Group, type Row, startUpload } from '../row.ts';

const ping: Group = {
  about: 'end-1: is the specification implemented?',
  rows: ['/v2/', '/v2'].map((path) => ({
    title: `end-1: ${path} answers 200 and an empty object, and 200 to HEAD`,
    steps: [
      { send: `HEAD ${path}`, expect: { status: 200 } },
      {
        send: `GET ${path}`,
        expect: {
          status: 200,
          headers: {
            'Content-Type': /^application\/json\b/,
            'Docker-Distribution-Api-Version': 'registry/2.0',
          },
          json: {},
        },
      },
    ],
  })),
};

const health: Group = {
  about: 'whether it lives, and can be used',
  rows: ['/healthz', '/readyz'].map((path) => ({
    title: `${path} answers 200 to a load balancer, which knows no secret`,
    steps: [
      { send: `HEAD ${path}`, expect: { status: 200 } },
      {
        send: `GET ${path}`,
        expect: { status: 200, headers: { 'Cache-Control': 'no-store' }, json: { status: 'ok' } },
      },
      { send: `POST ${path}`, expect: { status: 405 } },
    ],
  })),
};

/** Every endpoint that has a repository name in its path. */
const namedEndpoints = (name: string): readonly string[] => [
  `GET /v2/${name}/blobs/${layer.digest}`,
  `HEAD /v2/${name}/blobs/${layer.digest}`,
  `DELETE /v2/${name}/blobs/${layer.digest}`,
  `GET /v2/${name}/manifests/latest`,
  `DELETE /v2/${name}/manifests/latest`,
  `POST /v2/${name}/blobs/uploads/`,
  `GET /v2/${name}/tags/list`,
  `GET /v2/${name}/referrers/${layer.digest}`,
];

const refusesName = (title: string, name: string): Row => ({
  title: `a name ${title} is NAME_INVALID on every endpoint`,
  steps: namedEndpoints(name).map((send) => ({ send, expect: { status: 400, code: 'NAME_INVALID' } })),
});

const LONGEST_NAME = 255;

const names: Group = {
  about: 'repository names',
  rows: [
    refusesName('in upper case', 'Wire/Image'),
    refusesName('with a leading dash', '-wire/image'),
    refusesName('with a trailing separator', 'wire/image_'),
    refusesName('with three underscores in a row', 'wire/a___b'),
    refusesName('with two dots in a row', 'wire/a..b'),
    refusesName('with an empty component', 'wire//image'),
    refusesName(`over ${LONGEST_NAME} characters`, 'a'.repeat(LONGEST_NAME + 1)),
    {
      title: `a name of ${LONGEST_NAME} characters is accepted`,
      steps: [startUpload('a'.repeat(LONGEST_NAME))],
    },
    {
      title: 'a name may use every separator the specification allows',
      steps: [startUpload('{repo}/a.b/c_d/e__f/g---h/0')],
    },
    {
      title: 'an invalid name refuses a manifest before its body is looked at',
      steps: [
        {
          send: 'PUT /v2/Wire/manifests/v1',
          headers: { 'Content-Type': OCI_MANIFEST },
          body: 'not even JSON',
          expect: { status: 400, code: 'NAME_INVALID' },
        },
      ],
    },
  ],
};

const unknownPath = (send: string): Call => ({ send, expect: { status: 404, code: 'UNSUPPORTED' } });

const wrongMethod = (send: string, allow: RegExp): Call => ({
  send,
  expect: { status: 405, code: 'UNSUPPORTED', headers: { Allow: allow } },
});

const routing: Group = {
  about: 'paths and methods outside the specification',
  rows: [
    {
      title: 'an unknown path under /v2/ is 404 with code UNSUPPORTED',
      steps: [
        unknownPath('GET /v2/{repo}'),
        unknownPath('GET /v2/{repo}/tags'),
        unknownPath('GET /v2/{repo}/tags/all'),
        unknownPath('GET /v2/{repo}/signatures/list'),
        unknownPath('POST /v2/unheard-of'),
      ],
    },
    {
      title: 'a method that an endpoint does not have is 405, and Allow names those it has',
      steps: [
        wrongMethod('DELETE /v2/', /\bGET\b/),
        wrongMethod('POST /v2/{repo}/tags/list', /\bGET\b/),
        wrongMethod(`PUT /v2/{repo}/referrers/${layer.digest}`, /\bGET\b/),
        wrongMethod('PATCH /v2/{repo}/manifests/latest', /(?=.*\bGET\b)(?=.*\bPUT\b)(?=.*\bDELETE\b)/),
        wrongMethod(`PUT /v2/{repo}/blobs/${layer.digest}`, /(?=.*\bGET\b)(?=.*\bDELETE\b)/),
        wrongMethod('DELETE /v2/_catalog', /\bGET\b/),
      ],
    },
  ],
};

export const apiGroups: readonly Group[] = [ping, health, names, routing];
