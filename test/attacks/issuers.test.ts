import type { lookup as dnsLookup, LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { IdTokenVerifier } from '../../functions/auth/id-tokens.ts';
import { fetchDocument, reachOf } from '../../functions/auth/remote-document.ts';
import { putIssuer } from '../../functions/identity/issuers.ts';
import { GITHUB_JOB, IssuerServer, times } from '../auth/issuer.ts';
import { openFixture } from '../registry/fixture.ts';

// What an issuer that is trusted, or whoever answers in its place, may have the registry ask, and read.

type Listener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** Somebody on this machine, and how often they were asked. */
async function listening(listener: Listener) {
  let asked = 0;
  const server = createServer((incoming, outgoing) => {
    asked += 1;
    listener(incoming, outgoing);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close().closeAllConnections());
  return { port: (server.address() as AddressInfo).port, asked: () => asked };
}

/** A DNS that says of every name that it has these addresses. */
const saying = (...addresses: string[]) =>
  ((_host: string, _options: object, done: (error: null, found: LookupAddress[]) => void) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )) as unknown as typeof dnsLookup;

const signal = () => AbortSignal.timeout(10_000);

it.each([
  ['93.184.216.34', 'public'],
  ['2606:2800:220:1::1', 'public'],
  ['64:ff9b::5db8:d822', 'public'],
  ['10.0.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'private'],
  ['fd00:ec2::254', 'private'],
  ['::ffff:10.0.0.1', 'private'],
  ['64:ff9b::a00:1', 'private'],
  ['127.0.0.1', 'loopback'],
  ['127.9.9.9', 'loopback'],
  ['::1', 'loopback'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['64:ff9b::7f00:1', 'loopback'],
  ['169.254.169.254', undefined],
  ['::ffff:169.254.170.2', undefined],
  ['64:ff9b::a9fe:a9fe', undefined],
  ['fe80::1', undefined],
  ['0.0.0.0', undefined],
  ['::', undefined],
  ['224.0.0.1', undefined],
  ['255.255.255.255', undefined],
  ['2002:7f00:1::', undefined],
] as const)('the address %s is %s', (address, reach) => {
  expect(reachOf(address)).toBe(reach);
});

it.each([
  ['public', ['127.0.0.1']],
  ['public', ['::1']],
  ['public', ['10.0.0.1']],
  ['public', ['93.184.216.34', '127.0.0.1']],
  ['private', ['127.0.0.1']],
  ['private', ['169.254.169.254']],
  ['loopback', ['169.254.169.254']],
  ['loopback', ['0.0.0.0']],
] as const)('somebody %s has nobody asked whose name leads to %j', async (within, addresses) => {
  const { port, asked } = await listening((_, outgoing) => void outgoing.end('{}'));
  const url = new URL(`http://keys.example.com:${port}/keys`);
  const asking = fetchDocument(url, { within, signal: signal(), lookup: saying(...addresses) });
  await expect(asking).rejects.toThrow('is not to be asked');
  const byAddress = addresses.map((one) => (one.includes(':') ? `[${one}]` : one)).at(-1);
  const direct = fetchDocument(new URL(`http://${byAddress}:${port}/`), { within, signal: signal() });
  await expect(direct).rejects.toThrow('is not to be asked');
  expect(asked()).toBe(0);
});

it('knows how near it was who answered', async () => {
  const { port } = await listening((_, outgoing) => void outgoing.end('{}'));
  const url = new URL(`http://issuer.example.com:${port}/`);
  const lookup = saying('127.0.0.1');
  expect(await fetchDocument(url, { within: 'loopback', signal: signal(), lookup })).toEqual({
    status: 200,
    text: '{}',
    reach: 'loopback',
  });
});

it('reads no more than a document can have, however it comes', async () => {
  let sent = 0;
  const endless: Listener = (_, outgoing) => {
    const more = () => {
      while (!outgoing.destroyed && outgoing.write(Buffer.alloc(16_384, ' '))) sent += 16_384;
      outgoing.once('drain', more);
    };
    more();
  };
  const { port } = await listening(endless);
  const url = new URL(`http://127.0.0.1:${port}/`);
  await expect(fetchDocument(url, { within: 'loopback', signal: signal() })).rejects.toThrow(
    'larger than 262144',
  );
  expect(sent).toBeLessThan(16 * 1024 * 1024); // what the sockets between them hold
});

it('waits no longer for a body than for an answer', async () => {
  const { port } = await listening((_, outgoing) => void outgoing.write('{'));
  const abort = new AbortController();
  const asking = fetchDocument(new URL(`http://127.0.0.1:${port}/`), {
    within: 'loopback',
    signal: abort.signal,
  });
  setImmediate(() => abort.abort());
  await expect(asking).rejects.toThrow(/abort/i);
});

it('follows no redirect, to wherever', async () => {
  const inner = await listening((_, outgoing) => void outgoing.end('{}'));
  const location = `http://127.0.0.1:${inner.port}/`;
  const { port } = await listening((_, outgoing) => void outgoing.writeHead(302, { location }).end());
  const url = new URL(`http://127.0.0.1:${port}/`);
  expect(await fetchDocument(url, { within: 'loopback', signal: signal() })).toMatchObject({ status: 302 });
  expect(inner.asked()).toBe(0);
});

/** A registry that trusts an issuer out there, whose discovery document says this of its keys. */
async function trusting(keysUrl: string, keys: unknown = { keys: [] }) {
  const { registry } = await openFixture();
  const issuer = 'https://issuer.example.com';
  await putIssuer(registry, { name: 'ci', issuer, audience: 'registry.example.com', rules: [] });
  const asked: (readonly [string, string])[] = [];
  const verifier = new IdTokenVerifier({
    ask: async (url, { within, signal }) => {
      asked.push([url.href, within]);
      if (url.pathname !== '/.well-known/openid-configuration' && url.hostname !== 'issuer.example.com')
        return fetchDocument(url, { within, signal });
      const document = url.pathname === '/keys' ? keys : { issuer, jwks_uri: keysUrl };
      return { status: 200, text: JSON.stringify(document), reach: 'public' };
    },
  });
  const server = await IssuerServer.start();
  onTestFinished(() => server.close());
  const now = registry.now();
  const token = await server.sign({ ...GITHUB_JOB, ...times(now), iss: issuer }, { now });
  return { asked, verdict: () => verifier.verify(registry, token) };
}

it.each([
  'http://127.0.0.1:9001/2018-06-01/runtime/invocation/next',
  'http://localhost/',
  'http://10.0.0.1/',
  'file:///etc/passwd',
])('an issuer of the internet that says its keys are at %s has nothing asked there', async (keysUrl) => {
  const { asked, verdict } = await trusting(keysUrl);
  expect(await verdict()).toMatchObject({
    is: 'refused',
    why: expect.stringContaining('where others can write'),
  });
  expect(asked).toHaveLength(1);
});

it.each([
  'https://127.0.0.1:9001/',
  'https://[::1]/',
  'https://10.0.0.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://localhost/',
])('nor where it says that they are at %s', async (keysUrl) => {
  const { asked, verdict } = await trusting(keysUrl);
  expect(await verdict()).toMatchObject({ is: 'refused', why: expect.stringContaining('no business') });
  expect(asked.at(-1)).toEqual([keysUrl, 'public']);
});

it('an issuer with keys without end is refused', async () => {
  const keys = Array.from({ length: 101 }, (_, n) => ({ kty: 'RSA', kid: `${n}`, n: 'AQAB', e: 'AQAB' }));
  const { verdict } = await trusting('https://issuer.example.com/keys', { keys });
  expect(await verdict()).toMatchObject({ is: 'refused', why: expect.stringContaining('more keys') });
});
