import { BIG, DOOMED, digestFor, HEAVY, MANY_TAGS, SUBJECT, TAGGED } from './data.ts';
import type { Ask } from './requests.ts';

// What the web page and `stowage push` ask for.

const API = '/api/v1';
const repository = (name: string) => `${API}/repositories/${name}`;
const json = 'application/json';
const names = Array.from({ length: 100 }, (_, n) => `v${n}`);

/** Before those of a large repository that is deleted in the end. */
export const PAGE_ASKS: readonly Ask[] = [
  {
    operation: 'upload.part',
    what: 'an upload that is not there',
    line: `POST /v2/${BIG}/blobs/uploads/none?part=1&sha256=${'0'.repeat(64)}`,
  },
  {
    operation: 'session.create',
    what: 'a wrong password',
    line: `POST ${API}/session`,
    type: json,
    body: '{"username":"user1","password":"wrong"}',
  },
  { operation: 'session.list', what: 'sessions', line: `GET ${API}/me/sessions` },
  { operation: 'session.revoke', what: 'a session that is none', line: `DELETE ${API}/me/sessions/none` },
  { operation: 'session.end', what: 'none to end', line: `DELETE ${API}/session` },
  { operation: 'search.find', what: 'a part of all names', line: `GET ${API}/search?q=a` },
  {
    operation: 'search.find',
    what: 'a part of all names, of one who sees few',
    line: `GET ${API}/search?q=a`,
    as: 'stranger',
  },
  { operation: 'search.find', what: 'a digest', line: `GET ${API}/search?q=${digestFor('none')}` },
  { operation: 'tag.names', what: 'all names', line: `GET ${repository(TAGGED)}/-/tag-names?n=10000` },
  {
    operation: 'tag.query',
    what: 'rows of 100 tags of 16 KB',
    line: `POST ${repository(HEAVY)}/-/tags/query`,
    type: json,
    body: JSON.stringify({ names }),
  },
  {
    operation: 'tag.deleteMany',
    what: 'a dry run of 100',
    line: `POST ${repository(TAGGED)}/-/tags/delete`,
    type: json,
    body: JSON.stringify({ tags: names, dryRun: true }),
  },
  {
    operation: 'tag.place',
    what: 'on a manifest that is none',
    line: `PUT ${repository(HEAVY)}/-/tags/v1`,
    type: json,
    body: JSON.stringify({ digest: digestFor('none') }),
  },
  { operation: 'image.get', what: 'an image of 16 KB', line: `GET ${repository(HEAVY)}/-/images/v1` },
  {
    operation: 'manifest.list',
    what: 'untagged manifests',
    line: `GET ${repository(BIG)}/-/manifests?untagged=true&n=100`,
  },
  {
    operation: 'manifest.tags',
    what: 'many tags',
    line: `GET ${repository(DOOMED)}/-/manifests/${MANY_TAGS}/tags`,
  },
  {
    operation: 'manifest.referrers',
    what: 'many referrers',
    line: `GET ${repository(BIG)}/-/manifests/${SUBJECT}/referrers`,
  },
  { operation: 'traffic.get', what: 'this month', line: `GET ${API}/traffic` },
];
