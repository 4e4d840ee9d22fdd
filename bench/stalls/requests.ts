import {
  BIG,
  DOOMED,
  digestFor,
  GROUP,
  HEAVY,
  LAST,
  MANIFEST,
  MANY_TAGS,
  RETAINED,
  SUBJECT,
  TAGGED,
} from './data.ts';
import { PAGE_ASKS } from './page-requests.ts';

/** One request whose cost is looked at; `as` says who sends it. */
export interface Ask {
  /** As routes name it. */
  readonly operation: string;
  /** What is asked, for the table. */
  readonly what: string;
  /** `GET /v2/`. */
  readonly line: string;
  readonly as?: 'stranger';
  readonly type?: string;
  readonly body?: string;
  /** How many at once. @default 1 */
  readonly times?: number;
  /** Whether a second one would find nothing to do. @default false */
  readonly once?: boolean;
}

const API = '/api/v1';
const repository = (name: string) => `${API}/repositories/${name}`;
const json = 'application/json';
const list = (n: number) => `n=${n}`;
const ABSENT = digestFor('none');

const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestFor('none'), size: 2 };
const image = (more: object) =>
  JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [], ...more });
const MANIFEST_BYTES = 4 * 1024 * 1024;
/** As many repetitions of a text as a manifest has room for. */
const full = (text: string) => text.repeat(Math.floor((MANIFEST_BYTES - 1000) / text.length));
const inManifest = (value: string) => image({}).replace('}', `},"x":${value}`);
const nested = (open: string, close: string) => {
  const depth = Math.floor((MANIFEST_BYTES - 1000) / (open.length + close.length));
  return inManifest(`${open.repeat(depth)}1${close.repeat(depth)}`);
};
const keys = (count: number) =>
  `{${Array.from({ length: count }, (_, n) => `"${n.toString(36)}":1`).join(',')}}`;

const manifests: readonly (readonly [string, string])[] = [
  ['nested arrays', nested('[', ']')],
  ['nested objects', nested('{"a":', '}')],
  ['nested, and not closed', '['.repeat(MANIFEST_BYTES)],
  ['an array of numbers', inManifest(`[${full('1,')}1]`)],
  ['an array of objects', inManifest(`[${full('{},')}{}]`)],
  ['an array of arrays', inManifest(`[${full('[],')}[]]`)],
  ['an array of empty strings', inManifest(`[${full('"",')}""]`)],
  ['400,000 keys', inManifest(keys(400_000))],
  ['long numbers', inManifest(`[${full('1.7976931348623157e308,')}1]`)],
  ['a number of 4 MB', inManifest(full('9'))],
  ['one string', inManifest(`"${full('x')}"`)],
  ['one string of escapes', inManifest(`"${full('\\u00e9')}"`)],
  ['one string of four-byte characters', inManifest(`"${full('\u{1F600}').slice(0, 2_000_000)}"`)],
  [
    '200,000 annotations',
    image({ annotations: Object.fromEntries(Array.from({ length: 200_000 }, (_, n) => [`k${n}`, ''])) }),
  ],
  ['layers of one digest', image({ layers: Array.from({ length: 25_000 }, () => config) })],
  [
    '25,000 layers',
    image({ layers: Array.from({ length: 25_000 }, (_, n) => ({ ...config, digest: digestFor(`${n}`) })) }),
  ],
  [
    '9,000 layers',
    image({ layers: Array.from({ length: 9000 }, (_, n) => ({ ...config, digest: digestFor(`${n}`) })) }),
  ],
];

/** What takes long to match. */
const STARS = { repositories: Array.from({ length: 100 }, () => `zz*${'a*'.repeat(120)}`) };

/** Each operation at least once, the largest that can be asked of it. */
export const ASKS: readonly Ask[] = [
  { operation: 'me.get', once: true, what: 'the first call of the API in a process', line: `GET ${API}/me` },
  { operation: 'ping', what: 'ping', line: 'GET /v2/' },
  { operation: 'health', what: 'for a watchdog', line: 'GET /healthz' },
  { operation: 'ready', what: 'for a watchdog', line: 'GET /readyz' },
  ...['/blobs/', '/manifests/', '/-/tags/', '/tags/list', 'a-', 'a__', '/', '%2f'].map((part) => ({
    operation: 'ping',
    what: `a path of ${part} over and over`,
    line: `GET /v2/${part.repeat(Math.floor(15_000 / part.length))}`,
  })),
  { operation: 'catalog.list', what: 'catalog', line: 'GET /v2/_catalog' },
  {
    operation: 'catalog.list',
    what: 'catalog of one who sees few',
    line: 'GET /v2/_catalog',
    as: 'stranger',
  },
  { operation: 'tag.list', what: 'tags', line: `GET /v2/${TAGGED}/tags/list` },
  {
    operation: 'tag.list',
    what: 'tags, 1000 of them',
    line: `GET /v2/${TAGGED}/tags/list?${list(1000)}&last=v5`,
  },
  { operation: 'tag.list', what: 'tags', line: `GET /v2/${TAGGED}/tags/list`, times: 50 },
  { operation: 'referrer.list', what: 'referrers', line: `GET /v2/${BIG}/referrers/${SUBJECT}` },
  {
    operation: 'referrer.list',
    what: 'referrers, of a type that none has',
    line: `GET /v2/${BIG}/referrers/${SUBJECT}?artifactType=a/b`,
  },
  {
    operation: 'upload.start',
    what: 'an upload where a quota is counted afresh',
    line: `POST /v2/${BIG}/blobs/uploads/`,
  },
  {
    operation: 'upload.start',
    what: 'a mount from anywhere',
    line: `POST /v2/${RETAINED}/blobs/uploads/?mount=${digestFor('1-1')}`,
  },
  ...['upload.get:GET', 'upload.append:PATCH', 'upload.finish:PUT', 'upload.cancel:DELETE'].map((each) => {
    const [operation = '', method = ''] = each.split(':');
    return {
      operation,
      what: 'an upload that is not there',
      line: `${method} /v2/${BIG}/blobs/uploads/none`,
    };
  }),
  {
    operation: 'blob.get',
    what: 'a blob that is not there',
    line: `GET /v2/${BIG}/blobs/${digestFor('none')}`,
  },
  { operation: 'blob.head', what: 'a blob', line: `HEAD /v2/${BIG}/blobs/${digestFor('1-1')}` },
  { operation: 'blob.delete', what: 'a blob in use', line: `DELETE /v2/${BIG}/blobs/${digestFor('1-1')}` },
  { operation: 'manifest.get', what: 'a manifest', line: `GET /v2/${HEAVY}/manifests/v1` },
  { operation: 'manifest.head', what: 'a manifest', line: `HEAD /v2/${HEAVY}/manifests/v1` },
  ...manifests.map(([what, body]) => ({
    operation: 'manifest.put',
    what: `a manifest: ${what}`,
    line: `PUT /v2/${RETAINED}/manifests/x`,
    type: MANIFEST,
    body,
  })),
  {
    operation: 'token.issue',
    what: '300 scopes',
    line: `GET /token?${Array.from({ length: 300 }, (_, n) => `scope=repository:many/n${n}/app:pull`).join('&')}`,
    as: 'stranger',
  },
  {
    operation: 'login.end',
    what: 'a token that is none',
    line: 'POST /token/revoke',
    type: 'application/x-www-form-urlencoded',
    body: 'token=x',
  },
  { operation: 'openapi.get', what: 'the document', line: `GET ${API}/openapi.json` },
  { operation: 'me.get', what: 'who I am', line: `GET ${API}/me` },
  { operation: 'me.password', what: 'not allowed', line: `PUT ${API}/me/password`, type: json, body: '{}' },
  { operation: 'user.list', what: 'users', line: `GET ${API}/users?${list(1000)}` },
  {
    operation: 'user.create',
    what: 'a name that is taken',
    line: `POST ${API}/users`,
    type: json,
    body: '{"name":"user1"}',
  },
  { operation: 'user.get', what: 'a user', line: `GET ${API}/users/user1` },
  { operation: 'user.change', what: 'a user', line: `PATCH ${API}/users/user1`, type: json, body: '{}' },
  { operation: 'user.delete', once: true, what: 'a user', line: `DELETE ${API}/users/user2` },
  {
    operation: 'user.password',
    what: 'a user',
    line: `PUT ${API}/users/user1/password`,
    type: json,
    body: '{}',
  },
  { operation: 'token.list', what: 'tokens of a user', line: `GET ${API}/users/user1/tokens` },
  {
    operation: 'token.create',
    what: 'a token',
    line: `POST ${API}/users/user1/tokens`,
    type: json,
    body: '{"scope":"pull"}',
  },
  { operation: 'token.revoke', what: 'a token that is none', line: `DELETE ${API}/users/user1/tokens/none` },
  { operation: 'robot.list', what: 'robots', line: `GET ${API}/robots` },
  {
    operation: 'robot.create',
    once: true,
    what: 'a robot',
    line: `POST ${API}/robots`,
    type: json,
    body: '{"name":"robot1","grants":[]}',
  },
  { operation: 'robot.get', what: 'a robot', line: `GET ${API}/robots/robot1` },
  { operation: 'robot.change', what: 'a robot', line: `PATCH ${API}/robots/robot1`, type: json, body: '{}' },
  {
    operation: 'robot.secret',
    what: 'a robot',
    line: `POST ${API}/robots/robot1/secret`,
    type: json,
    body: '{}',
  },
  { operation: 'robot.delete', once: true, what: 'a robot', line: `DELETE ${API}/robots/robot1` },
  { operation: 'group.list', what: 'groups', line: `GET ${API}/groups` },
  {
    operation: 'group.create',
    once: true,
    what: 'a group',
    line: `POST ${API}/groups`,
    type: json,
    body: '{"name":"group1"}',
  },
  { operation: 'group.get', what: 'a group with many members', line: `GET ${API}/groups/${GROUP}` },
  { operation: 'member.add', what: 'a member', line: `PUT ${API}/groups/group1/members/user1` },
  { operation: 'member.remove', what: 'a member', line: `DELETE ${API}/groups/group1/members/user1` },
  {
    operation: 'group.delete',
    once: true,
    what: 'a group of many members',
    line: `DELETE ${API}/groups/${GROUP}`,
  },
  { operation: 'grant.list', what: 'grants', line: `GET ${API}/grants` },
  {
    operation: 'grant.set',
    what: 'a grant',
    line: `PUT ${API}/grants`,
    type: json,
    body: '{"subject":"user:user1","pattern":"a/*","actions":["pull"]}',
  },
  { operation: 'grant.remove', what: 'a grant', line: `DELETE ${API}/grants?subject=user:user1&pattern=a/*` },
  { operation: 'issuer.list', what: 'issuers', line: `GET ${API}/issuers` },
  { operation: 'issuer.set', what: 'what is none', line: `PUT ${API}/issuers/a`, type: json, body: '{}' },
  { operation: 'issuer.delete', what: 'what is none', line: `DELETE ${API}/issuers/a` },
  { operation: 'policy.list', what: 'policies', line: `GET ${API}/policies` },
  { operation: 'policy.get', what: 'a policy', line: `GET ${API}/policies/retained` },
  {
    operation: 'policy.set',
    what: 'a policy of many stars',
    line: `PUT ${API}/policies/stars`,
    type: json,
    body: JSON.stringify({ ...STARS, immutable: { tags: ['*'] } }),
  },
  { operation: 'policy.delete', what: 'a policy', line: `DELETE ${API}/policies/stars` },
  {
    operation: 'repository.list',
    what: 'repositories of one who sees few',
    line: `GET ${API}/repositories?${list(1000)}`,
    as: 'stranger',
  },
  { operation: 'tag.details', what: 'tags of 16 KB', line: `GET ${repository(HEAVY)}/-/tags?${list(100)}` },
  { operation: 'tag.get', what: 'a tag', line: `GET ${repository(HEAVY)}/-/tags/v1` },
  { operation: 'tag.delete', once: true, what: 'a tag', line: `DELETE ${repository(HEAVY)}/-/tags/v2` },
  { operation: 'tag.history', what: 'of a tag', line: `GET ${repository(HEAVY)}/-/tags/v2/history` },
  {
    operation: 'repository.restore',
    what: 'all tags, dry run',
    line: `POST ${repository(RETAINED)}/-/restore`,
    type: json,
    body: JSON.stringify({ at: new Date().toISOString(), dryRun: true }),
  },
  { operation: 'repository.usage', what: 'usage', line: `GET ${repository(BIG)}/-/usage` },
  {
    operation: 'repository.usage',
    what: 'usage, of a stranger',
    line: `GET ${repository(BIG)}/-/usage`,
    as: 'stranger',
    times: 8,
  },
  {
    operation: 'repository.usage',
    what: 'usage of tags of 16 KB',
    line: `GET ${repository(HEAVY)}/-/usage`,
    as: 'stranger',
  },
  {
    operation: 'repository.usage',
    what: 'usage of a week',
    line: `GET ${repository(RETAINED)}/-/usage?days=7`,
  },
  {
    operation: 'retention.plan',
    what: 'what retention would do',
    line: `GET ${repository(BIG)}/-/retention`,
  },
  {
    operation: 'preview.begin',
    what: 'policies of many stars',
    line: `POST ${API}/previews`,
    type: json,
    body: JSON.stringify({ policies: [{ ...STARS, name: 'stars', retention: { pins: ['*'] } }] }),
  },
  { operation: 'hold.list', what: 'holds', line: `GET ${repository(BIG)}/-/holds` },
  {
    operation: 'hold.set',
    what: 'a hold of what is not there',
    line: `PUT ${repository(BIG)}/-/holds/${ABSENT}`,
    type: json,
    body: JSON.stringify({ reason: 'none' }),
  },
  { operation: 'hold.end', what: 'a hold that is none', line: `DELETE ${repository(BIG)}/-/holds/${ABSENT}` },
  { operation: 'preview.get', what: 'one that is over', line: `GET ${API}/previews/none` },
  { operation: 'policy.confirm', what: 'one that is none', line: `POST ${API}/policies/none/confirm` },
  { operation: 'policy.waiting', what: 'what waits', line: `GET ${API}/waiting` },
  {
    operation: 'repository.quota',
    what: 'counted afresh',
    line: `GET ${repository(BIG)}/-/quota?fresh=true`,
  },
  { operation: 'quota.list', what: 'quotas', line: `GET ${API}/quotas` },
  { operation: 'trash.list', what: 'the trash', line: `GET ${repository(RETAINED)}/-/trash?${list(100)}` },
  {
    operation: 'trash.list',
    what: 'deleted tags',
    line: `GET ${repository(RETAINED)}/-/trash?n=100&last=tag%20`,
  },
  {
    operation: 'repository.purge',
    what: 'a dry run, of a layer that many have',
    line: `POST ${repository(BIG)}/-/purge`,
    type: json,
    body: JSON.stringify({ digest: digestFor('1-1'), dryRun: true }),
  },
  {
    operation: 'registry.purge',
    what: 'what nobody has',
    line: `POST ${API}/purge`,
    type: json,
    body: JSON.stringify({ digest: `sha256:${'0'.repeat(64)}` }),
  },
  {
    operation: 'sweep.run',
    what: 'a dry run',
    line: `POST ${repository(BIG)}/-/sweep`,
    type: json,
    body: '{"dryRun":true}',
  },
  { operation: 'repository.get', what: 'a repository', line: `GET ${repository(LAST)}` },
  {
    operation: 'repository.set',
    what: 'a repository',
    line: `PUT ${repository(LAST)}`,
    type: json,
    body: '{"visibility":"private"}',
  },
  {
    operation: 'repository.change',
    what: 'a repository',
    line: `PATCH ${repository(LAST)}`,
    type: json,
    body: '{"visibility":"private"}',
  },
  {
    operation: 'audit.list',
    what: 'audit of one who did nothing',
    line: `GET ${API}/audit?principal=user:rare`,
  },
  { operation: 'audit.list', what: 'audit', line: `GET ${API}/audit?${list(500)}` },
  ...PAGE_ASKS,
  {
    operation: 'manifest.delete',
    once: true,
    what: 'a manifest of many tags',
    line: `DELETE /v2/${DOOMED}/manifests/${MANY_TAGS}`,
  },
  {
    operation: 'repository.delete',

    what: 'a large repository, one request of several',
    line: `DELETE ${repository(TAGGED)}`,
  },
];
