import { expect, it } from 'vitest';
import type { EdgeRequest, EdgeResponse } from '../aws/front/edge-event.ts';
import { loadEdgeFunctions } from '../aws/front/runtime.ts';
import { NOW, requestOf, VIEWER } from './door.ts';

// A rule that nobody has seen fail is no rule: each row is a function that CloudFront would not take, or would answer
// 502 or 503 for.

const IMPORTS = "import cf from 'cloudfront';\nimport crypto from 'crypto';\n";
const PASS = 'async function handler(event) { return event.response || event.request; }';

const whole = (body: string) => `${IMPORTS}async function handler(event) {\n${body}\n}`;

interface Code {
  readonly request?: string;
  readonly response?: string;
  readonly kvs?: string;
}

async function load({ request = PASS, response = PASS, kvs }: Code) {
  return loadEdgeFunctions({
    kvs: async () => kvs,
    origins: ['api', 'blobs'],
    code: (event) => (event === 'viewer-request' ? request : response),
    now: () => NOW,
  });
}

const sent: EdgeRequest = requestOf('PUT', '/v2/?a=1', {
  'content-length': 5,
  via: '1.1 x',
  'x-real-ip': 'x',
});

async function onRequest(body: string, kvs?: string) {
  const { viewerRequest } = await load({ request: whole(body), ...(kvs !== undefined && { kvs }) });
  return viewerRequest(structuredClone(sent), VIEWER);
}

const got: EdgeResponse = {
  statusCode: 200,
  headers: { 'content-length': { value: '5' }, via: { value: '1.1 x' }, 'x-cache': { value: 'Miss' } },
};

async function onResponse(body: string) {
  const { viewerResponse } = await load({ response: whole(body) });
  return viewerResponse(sent, structuredClone(got));
}

it.each([
  ['larger than 10 KB', `${PASS}${' '.repeat(10_000)}`, /bytes, over 10000/],
  ['without a handler', 'const a = 1;', /handler/],
  ['with a syntax error', 'function handler( {', /Unexpected/],
  ['that imports a module of Node', `import fs from 'fs';\n${PASS}`, /no module fs/],
  ['that requires a module of Node', `const fs = require('node:fs');\n${PASS}`, /no module node:fs/],
  ['that exports its handler', `export ${PASS}`, /Unexpected token 'export'/],
])('code %s is not taken', async (_, request, why) => {
  await expect(load({ request })).rejects.toThrow(why);
  await expect(load({ response: request })).rejects.toThrow(why);
});

const RETURN = 'return event.request;';

it.each([
  ['eval', `eval('1'); ${RETURN}`, 503, /eval is not defined/],
  ['code made of text', `new Function('return 1')(); ${RETURN}`, 503, /Code generation from strings/],
  ['timers', `setTimeout(() => {}, 1); ${RETURN}`, 503, /setTimeout is not defined/],
  ['the process', `process.exit(1); ${RETURN}`, 503, /process is not defined/],
  ['the network', `await fetch('https://example.com'); ${RETURN}`, 503, /fetch is not defined/],
  ['dynamic imports', `await import('fs'); ${RETURN}`, 503, /import/],
  ['what ES 6 to 12 has and the runtime has not', `new Map(); ${RETURN}`, 503, /Map is not defined/],
  ['methods that it has not', `[[1]].flat(); ${RETURN}`, 503, /flat is not a function/],
  [
    'class methods that it has not',
    `Object.fromEntries([]); ${RETURN}`,
    503,
    /fromEntries is not a function/,
  ],
  ['other hashes', `crypto.createHash('sha512'); ${RETURN}`, 503, /sha512 is none of/],
  ['other digests', `crypto.createHash('md5').digest('latin1'); ${RETURN}`, 503, /latin1 is none of/],
  ['more of crypto', `crypto.randomBytes(1); ${RETURN}`, 503, /randomBytes is not a function/],
  ['other encodings', `Buffer.from('a', 'latin1'); ${RETURN}`, 503, /latin1 is none of/],
  ['other encodings of a text', `Buffer.from('a').toString('latin1'); ${RETURN}`, 503, /latin1 is none of/],
  ['names that nothing declares', `oops = 1; ${RETURN}`, 503, /oops is not defined/],
  ['a loop without an end', 'for (;;) {}', 503, /timed out/],
  ['an error', "throw new Error('no luck');", 503, /no luck/],
  ['origins that are not there', `cf.selectRequestOriginById('other'); ${RETURN}`, 503, /no origin other/],
  ['keys that are not there', `await cf.kvs().get('other'); ${RETURN}`, 503, /KeyNotFound/],
  ['the one key, where it is not there', `await cf.kvs().get('front'); ${RETURN}`, 503, /KeyNotFound/],
  ['no return', 'event.request.uri = "/";', 502, /neither a request nor a response/],
  ['a text in return', "return 'a';", 502, /neither a request nor a response/],
  ['another method', `event.request.method = 'GET'; ${RETURN}`, 502, /method may not be changed/],
  ['a uri without a slash', `event.request.uri = 'blobs/x'; ${RETURN}`, 502, /begin with a slash/],
  ['a uri with a query', `event.request.uri = '/a?b'; ${RETURN}`, 502, /a path alone/],
  ['a uri of 9 KB', `event.request.uri = '/' + 'a'.repeat(9000); ${RETURN}`, 502, /over 8192 bytes/],
  ['no query object', `event.request.querystring = 'a=1'; ${RETURN}`, 502, /query parameter is missing/],
  ['a text for a header', `event.request.headers.a = 'b'; ${RETURN}`, 502, /header "a" is not/],
  ['a number in a header', `event.request.headers.a = { value: 1 }; ${RETURN}`, 502, /header "a" is not/],
  [
    'a line break in a header',
    `event.request.headers.a = { value: 'b\\r\\nc' }; ${RETURN}`,
    502,
    /"a" is not/,
  ],
  ['capitals in a header', `event.request.headers.Host = { value: 'b' }; ${RETURN}`, 502, /lower case/],
  ['another Host', `event.request.headers.host.value = 'b'; ${RETURN}`, 502, /host is read-only/],
  ['no Content-Length', `delete event.request.headers['content-length']; ${RETURN}`, 502, /read-only/],
  ['no Via', `delete event.request.headers.via; ${RETURN}`, 502, /via is read-only/],
  [
    'Transfer-Encoding',
    `event.request.headers['transfer-encoding'] = { value: 'chunked' }; ${RETURN}`,
    502,
    /transfer-encoding is read-only/,
  ],
])('a viewer-request function with %s fails', async (_, body, status, why) => {
  await expect(onRequest(body)).rejects.toMatchObject({ status, message: expect.stringMatching(why) });
});

it.each([
  'connection',
  'expect',
  'proxy-authorization',
  'upgrade',
  'x-accel-redirect',
  'x-amz-cf-id',
  'x-amzn-requestid',
  'x-cache',
  'x-edge-location',
  'x-forwarded-proto',
  'x-real-ip',
])('no function may add %s', async (name) => {
  const failure = { status: 502, message: expect.stringContaining(`${name} is disallowed`) };
  const add = `.headers['${name}'] = { value: 'a' };`;
  await expect(onRequest(`event.request${add} return event.request;`)).rejects.toMatchObject(failure);
  await expect(onResponse(`event.response${add} return event.response;`)).rejects.toMatchObject(failure);
});

it.each([
  ['no status', '{ statusCode: "200" }', /no status code/],
  ['an impossible status', '{ statusCode: 700 }', /no status code/],
  ['a body of 41 KB', '{ statusCode: 200, body: "a".repeat(41 * 1024) }', /is over 40960/],
  ['a body of another kind', '{ statusCode: 200, body: { encoding: "hex", data: "" } }', /the body is not/],
  ['a header in capitals', '{ statusCode: 200, headers: { Location: { value: "/" } } }', /lower case/],
  ['a length', '{ statusCode: 200, headers: { "content-length": { value: "1" } } }', /read-only/],
])('a made response with %s fails', async (_, response, why) => {
  await expect(onRequest(`return ${response};`)).rejects.toMatchObject({
    status: 502,
    message: expect.stringMatching(why),
  });
});

const ANSWER = 'return event.response;';

it.each([
  ['another length', `event.response.headers['content-length'].value = '9'; ${ANSWER}`, 502, /read-only/],
  ['no Via', `delete event.response.headers.via; ${ANSWER}`, 502, /via is read-only/],
  ['a Warning', `event.response.headers.warning = { value: '299 - "a"' }; ${ANSWER}`, 502, /read-only/],
  ['a body', `event.response.body = { encoding: 'text', data: 'a' }; ${ANSWER}`, 502, /body/],
  ['no response', 'return event.request;', 502, /no status code/],
  ['an origin', `cf.selectRequestOriginById('api'); ${ANSWER}`, 503, /viewer request only/],
])('a viewer-response function with %s fails', async (_, body, status, why) => {
  await expect(onResponse(body)).rejects.toMatchObject({ status, message: expect.stringMatching(why) });
});

it('a value of more than 1 KB is none', async () => {
  const read = "await cf.kvs().get('front'); return event.request;";
  await expect(onRequest(read, 'a'.repeat(1025))).rejects.toMatchObject({ status: 503 });
  expect(await onRequest(read, 'a'.repeat(1024))).toMatchObject({ is: 'request' });
});

it('what CloudFront allows works', async () => {
  const outcome = await onRequest(
    `const found = await cf.kvs().get('front', { format: 'json' });
    const secret = Buffer.from(found.secret, 'base64url');
    const mac = crypto.createHmac('sha256', secret).update('a').digest('hex');
    const isThere = await cf.kvs().exists('front');
    return { statusCode: 200, body: [mac.length, isThere, Date.now(), new Date().getTime()].join() };`,
    JSON.stringify({ secret: 'AAAA' }),
  );
  expect(outcome).toMatchObject({ response: { body: { encoding: 'text', data: `64,true,${NOW},${NOW}` } } });
  expect(await onRequest('cf.selectRequestOriginById("blobs"); return event.request;')).toMatchObject({
    origin: 'blobs',
  });
});

it('a function sees no header that is hidden from it, and those of an answer reach the viewer all the same', async () => {
  const names = 'return { statusCode: 200, body: Object.keys(event.request.headers).join() };';
  expect(await onRequest(names)).toMatchObject({ response: { body: { data: 'host,content-length,via' } } });
  const seen = await onResponse(
    'event.response.headers.seen = { value: Object.keys(event.response.headers).join() }; return event.response;',
  );
  expect(seen.headers).toMatchObject({ seen: { value: 'content-length,via' }, 'x-cache': { value: 'Miss' } });
});

it('nothing is left of the run before', async () => {
  const count = 'return { statusCode: 200, body: String((runs += 1)) };';
  const { viewerRequest } = await load({ request: `let runs = 0;\nfunction handler() { ${count} }` });
  for (const _ of [1, 2]) {
    expect(await viewerRequest(sent, VIEWER)).toMatchObject({ response: { body: { data: '1' } } });
  }
  const change = await load({ request: 'function handler(event) { Array.prototype.last = 1; }' });
  await expect(change.viewerRequest(sent, VIEWER)).rejects.toMatchObject({ status: 503 });
});
