import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LEASE } from '../../functions/upkeep/lease.ts';
import { boundsFrom } from '../../local/bounds.ts';
import { settingsFrom } from '../../local/settings.ts';

const TLS = {
  STOWAGE_TLS_CERT: join(import.meta.dirname, 'tls/cert.pem'),
  STOWAGE_TLS_KEY: join(import.meta.dirname, 'tls/key.pem'),
};

describe('without any variable', () => {
  it('the registry listens on this machine only, and has users', () => {
    const names = { hosts: [], any: true };
    const defaults = { names, proxies: 0, open: false, page: true, behindFront: false, lease: DEFAULT_LEASE };
    const bounds = boundsFrom({});
    expect(settingsFrom({})).toEqual({ host: '127.0.0.1', port: 5000, bounds, ...defaults });
  });
});

describe('on an address that others can reach', () => {
  const STOWAGE_HOST = '0.0.0.0';

  it('it takes a certificate and its key', () => {
    const { host, tls } = settingsFrom({ STOWAGE_HOST, ...TLS });
    expect(host).toBe('0.0.0.0');
    expect(`${tls?.cert}`).toContain('BEGIN CERTIFICATE');
  });

  it('it takes a proxy that does TLS, at a public URL', () => {
    const proxy = { STOWAGE_BEHIND_PROXY: '1', STOWAGE_PUBLIC_URL: 'https://registry.example.com/' };
    expect(settingsFrom({ STOWAGE_HOST, ...proxy })).toMatchObject({
      proxies: 1,
      publicUrl: 'https://registry.example.com',
    });
  });

  it.each([
    ['plain HTTP', {}],
    [
      'a proxy whose public URL is plain HTTP',
      { STOWAGE_BEHIND_PROXY: '1', STOWAGE_PUBLIC_URL: 'http://a.b' },
    ],
    ['a proxy without a public URL', { STOWAGE_BEHIND_PROXY: '1' }],
  ])('it refuses %s, which would show passwords to the network', (_, more) => {
    expect(() => settingsFrom({ STOWAGE_HOST, ...more })).toThrow('passwords must not cross a network');
  });

  it("it takes a front door, from which it is reached over no network but AWS's own", () => {
    const front = { STOWAGE_FRONT_SECRET_SHA256: 'hash', STOWAGE_STORE: 'aws' };
    expect(settingsFrom({ STOWAGE_HOST: '10.0.0.7', ...front })).toMatchObject({ behindFront: true });
    expect(() => settingsFrom({ STOWAGE_HOST, ...front, STOWAGE_OPEN: '1' })).toThrow('STOWAGE_OPEN');
  });

  it('it refuses to be open, with TLS too', () => {
    expect(() => settingsFrom({ STOWAGE_HOST, ...TLS, STOWAGE_OPEN: '1' })).toThrow('STOWAGE_OPEN');
  });
});

it.each([
  ['STOWAGE_PORT', '0'],
  ['STOWAGE_PORT', '70000'],
  ['STOWAGE_PORT', 'http'],
  ['STOWAGE_HOST', 'registry.example.com'],
  ['STOWAGE_OPEN', 'yes'],
  ['STOWAGE_BEHIND_PROXY', 'true'],
  ['STOWAGE_BEHIND_PROXY', '-1'],
  ['STOWAGE_BEHIND_PROXY', '10'],
  ['STOWAGE_ADMIN_PASSWORD_FILE', '/there/is/none'],
  ['STOWAGE_PUBLIC_URL', 'registry.example.com'],
  ['STOWAGE_PUBLIC_URL', 'https://example.com/registry'],
])('%s=%s is refused, and the message names the variable', (name, value) => {
  expect(() => settingsFrom({ [name]: value })).toThrow(name);
});

it('a front door before a registry in a directory, to which no byte gets past it, is refused', () => {
  expect(() => settingsFrom({ STOWAGE_FRONT_SECRET_SHA256: 'secret' })).toThrow('STOWAGE_STORE=aws');
});

it('a certificate without its key is refused', () => {
  expect(() => settingsFrom({ STOWAGE_TLS_CERT: TLS.STOWAGE_TLS_CERT })).toThrow('belong together');
});

it('takes no Service of Kubernetes that is called stowage for its port', () => {
  expect(settingsFrom({ STOWAGE_PORT: 'tcp://10.96.0.7:80' }).port).toBe(5000);
  expect(() => settingsFrom({ STOWAGE_PORT: 'http://10.96.0.7:80' })).toThrow('not a port number');
});
