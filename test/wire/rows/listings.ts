import { index } from '../content.ts';
import { type Call, type Expectation, type Group, pushManifest, type Step } from '../row.ts';

const UNSUPPORTED: Expectation = { status: 400, code: 'UNSUPPORTED' };
const RELATIVE_NEXT = /^<\/v2\/[^>]*>; ?rel="next"$/;
const NOT_COUNTS = ['-1', '1.5', 'many', '1e3', '0x10', '%201'];
const empty = index([]);
const pushTags = (...tags: readonly string[]): Step => tags.map((tag) => pushManifest(empty, tag));

const tagPage = (send: string, tags: readonly string[], link?: RegExp): Call => ({
  send,
  expect: {
    status: 200,
    headers: { 'Content-Type': /^application\/json\b/, Link: link },
    json: { name: '{repo}', tags },
  },
});

/** In the order of their bytes: digits, upper case, underscore, lower case; a prefix before what it begins. */
const ODD_TAGS = ['1', '10', '2', 'B', 'Z', '_x', 'a', 'a-b', 'a.b', 'a0', 'aB', 'a_b', 'ab', 'b'];
const UNSORTED_TAGS = ['b', 'a_b', '10', 'Z', '2', 'ab', 'aB', '_x', 'a', '1', 'a0', 'B', 'a.b', 'a-b'];
const LETTERS = ['a', 'b', 'c', 'd', 'e'];

const tags: Group = {
  about: 'end-8a, end-8b: listing tags',
  rows: [
    {
      title: 'end-8a: all tags come in the order of their bytes',
      steps: [pushTags(...UNSORTED_TAGS), tagPage('GET /v2/{repo}/tags/list', ODD_TAGS)],
    },
    {
      title: 'end-8a: a repository whose tags are all deleted has an empty list',
      steps: [
        pushTags('a'),
        { send: 'DELETE /v2/{repo}/manifests/a', expect: { status: 202 } },
        tagPage('GET /v2/{repo}/tags/list', []),
      ],
    },
    {
      title: 'end-8a: an unknown repository is NAME_UNKNOWN',
      steps: [
        pushTags('a'),
        { send: 'GET /v2/{other}/tags/list', expect: { status: 404, code: 'NAME_UNKNOWN' } },
        { send: 'GET /v2/{other}/tags/list?n=0', expect: { status: 404, code: 'NAME_UNKNOWN' } },
      ],
    },
    {
      title: 'end-8b: pages of n tags are linked by a relative URL, and the last page has no Link',
      steps: [
        pushTags(...LETTERS),
        tagPage('GET /v2/{repo}/tags/list?n=2', ['a', 'b'], RELATIVE_NEXT),
        tagPage('GET {next}', ['c', 'd'], RELATIVE_NEXT),
        tagPage('GET {next}', ['e']),
      ],
    },
    {
      title: 'end-8b: a last page that is exactly full has no Link',
      steps: [
        pushTags(...LETTERS),
        tagPage('GET /v2/{repo}/tags/list?n=5', LETTERS),
        tagPage('GET /v2/{repo}/tags/list?n=2&last=c', ['d', 'e']),
      ],
    },
    {
      title: 'end-8b: pages of one tag survive odd tags',
      steps: [
        pushTags(...UNSORTED_TAGS),
        ...ODD_TAGS.map((tag, at) =>
          tagPage(
            at === 0 ? 'GET /v2/{repo}/tags/list?n=1' : 'GET {next}',
            [tag],
            at === ODD_TAGS.length - 1 ? undefined : RELATIVE_NEXT,
          ),
        ),
      ],
    },
    {
      title: 'end-8b: n above the number of tags answers them all',
      steps: [
        pushTags(...LETTERS),
        tagPage('GET /v2/{repo}/tags/list?n=100', LETTERS),
        tagPage('GET /v2/{repo}/tags/list?n=999999999999', LETTERS),
      ],
    },
    {
      title: 'end-8b: n=0 answers an empty list without Link',
      steps: [
        pushTags(...LETTERS),
        tagPage('GET /v2/{repo}/tags/list?n=0', []),
        tagPage('GET /v2/{repo}/tags/list?n=0&last=b', []),
      ],
    },
    {
      title: 'end-8b: last need not be a tag that exists, and works without n',
      steps: [
        pushTags(...LETTERS),
        tagPage('GET /v2/{repo}/tags/list?last=b', ['c', 'd', 'e']),
        tagPage('GET /v2/{repo}/tags/list?last=bb', ['c', 'd', 'e']),
        tagPage('GET /v2/{repo}/tags/list?n=2&last=bb', ['c', 'd'], RELATIVE_NEXT),
        tagPage('GET /v2/{repo}/tags/list?last=zz', []),
      ],
    },
    {
      title: 'end-8b: an n that is no count is UNSUPPORTED',
      steps: [
        pushTags('a'),
        ...NOT_COUNTS.map((n) => ({ send: `GET /v2/{repo}/tags/list?n=${n}`, expect: UNSUPPORTED })),
      ],
    },
    {
      title:
        'end-8b: a last that no tag can be is a place in the list like any other, with a long page as with a short one',
      steps: [
        pushTags(...LETTERS),
        ...['', '&n=5'].flatMap((n) => [
          tagPage(`GET /v2/{repo}/tags/list?last=-a${n}`, LETTERS),
          tagPage(`GET /v2/{repo}/tags/list?last=b%2Fb${n}`, ['c', 'd', 'e']),
          tagPage(`GET /v2/{repo}/tags/list?last=c%20${n}`, ['d', 'e']),
          tagPage(`GET /v2/{repo}/tags/list?last=${'d'.repeat(5000)}${n}`, ['e']),
          tagPage(`GET /v2/{repo}/tags/list?last=c%00${n}`, ['d', 'e']),
          tagPage(`GET /v2/{repo}/tags/list?last=%F0%9F%98%80${n}`, []),
          tagPage(`GET /v2/{repo}/tags/list?last=%ED%A0%80${n}`, []),
        ]),
      ],
    },
    {
      title: 'end-8b: an empty last is the beginning, and an empty n none',
      steps: [
        pushTags(...LETTERS),
        tagPage('GET /v2/{repo}/tags/list?n=10&last=', LETTERS),
        tagPage('GET /v2/{repo}/tags/list?last=', LETTERS),
        tagPage('GET /v2/{repo}/tags/list?n=&last=c', ['d', 'e']),
      ],
    },
    {
      title: 'end-8b: an unknown parameter is ignored',
      steps: [pushTags('a'), tagPage('GET /v2/{repo}/tags/list?ns=registry.example&x', ['a'])],
    },
  ],
};

const catalogPage = (send: string, repositories: readonly string[], link?: RegExp): Call => ({
  send,
  expect: {
    status: 200,
    headers: { 'Content-Type': /^application\/json\b/, ...(link === undefined ? {} : { Link: link }) },
    json: { repositories },
  },
});

/** Other rows have repositories too, so that a row sees its own alone between its first and its last. */
const pushRepositories: Step = ['{repo}/c', '{repo}', '{repo}/a', '{repo}-b', '{other}'].map((repository) =>
  pushManifest(empty, 'v1', repository),
);

const catalog: Group = {
  about: '_catalog: listing repositories',
  rows: [
    {
      title: '_catalog: pages of n repositories come in the order of their bytes and are linked',
      steps: [
        pushRepositories,
        catalogPage('GET /v2/_catalog?n=2&last={repo}', ['{repo}-b', '{repo}/a'], RELATIVE_NEXT),
        catalogPage('GET {next}', ['{repo}/c', '{other}']),
      ],
    },
    {
      title: '_catalog: n=0 answers an empty list without Link',
      steps: [
        pushRepositories,
        {
          send: 'GET /v2/_catalog?n=0',
          expect: { status: 200, headers: { Link: undefined }, json: { repositories: [] } },
        },
      ],
    },
    {
      title: '_catalog: last need not be a repository that exists',
      steps: [
        pushRepositories,
        catalogPage('GET /v2/_catalog?n=1&last={repo}/b', ['{repo}/c'], RELATIVE_NEXT),
      ],
    },
    {
      title: '_catalog: an n that is no count is UNSUPPORTED',
      steps: NOT_COUNTS.map((n) => ({ send: `GET /v2/_catalog?n=${n}`, expect: UNSUPPORTED })),
    },
    {
      title: '_catalog: a last that no repository can be is a place in the list like any other',
      steps: [
        pushRepositories,
        catalogPage('GET /v2/_catalog?n=1&last={repo}//b', ['{repo}/a']),
        catalogPage('GET /v2/_catalog?n=1&last={repo}%20', ['{repo}-b']),
        catalogPage('GET /v2/_catalog?n=5&last=~', []),
        catalogPage(`GET /v2/_catalog?n=5&last=${'~'.repeat(5000)}`, []),
        catalogPage('GET /v2/_catalog?n=5&last=%F0%9F%98%80', []),
      ],
    },
    {
      title: '_catalog: an empty last is the beginning',
      steps: [
        pushRepositories,
        { send: 'GET /v2/_catalog?last=&n=100', expect: { status: 200 } },
        { send: 'GET /v2/_catalog?n=&last=', expect: { status: 200 } },
      ],
    },
  ],
};

export const listingGroups: readonly Group[] = [tags, catalog];
