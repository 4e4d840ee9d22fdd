import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { DOWNLOAD_URL_SECONDS } from '../../../functions/limits.ts';
import type { Digest } from '../../../functions/oci/digest.ts';
import type { ObjectKey } from '../../../functions/storage/blob-store.ts';
import { CdnUrls } from '../../../functions/storage/s3/cdn-urls.ts';
import { HOST, requestOf } from '../../edge/door.ts';
import { urlRefusal } from './signed-urls.ts';

const KEY_ID = 'K2JCJMDEHXQW5F';
const NOW = Date.UTC(2026, 10, 25);
const DIGEST = `sha256:${'c'.repeat(64)}` as Digest;

const pair = () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
const { privateKey, publicKey } = pair();

/** As the registry signs it. */
function urlOf(key = privateKey): Promise<string> {
  const urls = new CdnUrls({ keyId: KEY_ID, readKey: async () => key, now: () => NOW });
  return urls.urlOf({ objectKey: 'blobs/1' as ObjectKey, digest: DIGEST, host: HOST });
}

const refusal = (target: string, now = NOW) =>
  urlRefusal({ request: requestOf('GET', target), key: { id: KEY_ID, publicKey }, now })?.code;

it('lets the URLs of the registry through, until they expire', async () => {
  const url = await urlOf();
  expect(refusal(url)).toBeUndefined();
  expect(refusal(url, NOW + (DOWNLOAD_URL_SECONDS - 1) * 1000)).toBeUndefined();
  expect(refusal(url, NOW + DOWNLOAD_URL_SECONDS * 1000)).toBe('AccessDenied');
});

it('refuses another path, another digest, and more parameters than were signed', async () => {
  const url = await urlOf();
  expect(refusal(url.replace('/blobs/1', '/blobs/2'))).toBe('AccessDenied');
  expect(refusal(url.replace('ccc', 'ccd'))).toBe('AccessDenied');
  expect(refusal(`${url}&response-content-type=text/html`)).toBe('AccessDenied');
});

it('refuses another host, and every asterisk', async () => {
  const url = await urlOf();
  const { searchParams } = new URL(url, 'https://registry.test');
  const policy = Buffer.from((searchParams.get('Policy') ?? '').replaceAll('_', '='), 'base64').toString();
  expect(policy).not.toContain('*');
  const elsewhere = requestOf('GET', url, { host: 'd111111abcdef8.cloudfront.net' });
  expect(urlRefusal({ request: elsewhere, key: { id: KEY_ID, publicKey }, now: NOW })?.code).toBe(
    'AccessDenied',
  );
});

it('refuses what is not signed, or by another key, and says it in the words of CloudFront', async () => {
  const url = await urlOf();
  expect(refusal('/blobs/1')).toBe('MissingKey');
  expect(refusal(url.replace(KEY_ID, 'K0'))).toBe('InvalidKey');
  expect(refusal(url.replace(/Policy=[^&]+&/, ''))).toBe('AccessDenied');
  expect(refusal(url.replace(/Signature=[^&]+&/, ''))).toBe('AccessDenied');
  expect(refusal(await urlOf(pair().privateKey))).toBe('AccessDenied');
});
