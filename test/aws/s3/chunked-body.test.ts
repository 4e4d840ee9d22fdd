import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hasherOf } from './checksums.ts';
import { decodeChunks } from './chunked-body.ts';
import type { S3Error } from './s3-error.ts';

// The two worked examples of https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html: 65 KiB of the letter a.
const SCOPE = '20130524/us-east-1/s3/aws4_request';
const KEY = SCOPE.split('/').reduce<string | Buffer>(
  (key, part) => createHmac('sha256', key).update(part).digest(),
  'AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
) as Buffer;
const CONTENT = 'a'.repeat(66_560);

const signed = (payload: string, signature: string) => ({
  accessKeyId: 'AKIDTEST',
  presigned: false,
  payload,
  date: '20130524T000000Z',
  scope: SCOPE,
  key: KEY,
  signature,
});

const PLAIN = signed(
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
);
const PLAIN_BODY = frame([
  'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
  '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
  'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
]);

const TRAILER = signed(
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
);
const TRAILER_BODY = frame(
  [
    'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
    '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
    '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
  ],
  'x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n',
);

function frame([first, second, last]: readonly string[], trailer = ''): string {
  return [
    `10000;chunk-signature=${first}\r\n${CONTENT.slice(0, 65_536)}\r\n`,
    `400;chunk-signature=${second}\r\n${CONTENT.slice(65_536)}\r\n`,
    `0;chunk-signature=${last}\r\n${trailer}\r\n`,
  ].join('');
}

/** Decodes a body that arrives in pieces of the given size. */
async function decode(body: string, by: typeof PLAIN, size: number) {
  const pieces = (body.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []).map((piece) => Buffer.from(piece));
  const source = (async function* arrive() {
    yield* pieces;
  })();
  const trailers = new Map<string, string>();
  const chunks: Uint8Array[] = [];
  for await (const bytes of decodeChunks(source, by, trailers)) chunks.push(bytes);
  return { text: Buffer.concat(chunks).toString(), trailers };
}

describe('a body in signed chunks', () => {
  it.each([1, 7, 4096, 1_000_000])('is decoded from pieces of %d bytes', async (size) => {
    expect((await decode(PLAIN_BODY, PLAIN, size)).text).toBe(CONTENT);
    const { text, trailers } = await decode(TRAILER_BODY, TRAILER, size);
    expect(text).toBe(CONTENT);
    const crc32c = hasherOf('CRC32C');
    crc32c.update(Buffer.from(CONTENT));
    expect([...trailers]).toEqual([['x-amz-checksum-crc32c', crc32c.digest().toString('base64')]]);
  });

  it('is refused when a byte, a signature or the trailer is another', async () => {
    const refusal = (body: string, by: typeof PLAIN) =>
      decode(body, by, 4096).then(
        () => 'none',
        (error: S3Error) => error.code,
      );
    expect(await refusal(PLAIN_BODY.replace('aaa', 'aab'), PLAIN)).toBe('SignatureDoesNotMatch');
    expect(await refusal(PLAIN_BODY.replace('=0055', '=0056'), PLAIN)).toBe('SignatureDoesNotMatch');
    expect(await refusal(PLAIN_BODY.replaceAll(/;[^\r]*/g, ''), PLAIN)).toBe('SignatureDoesNotMatch');
    expect(await refusal(TRAILER_BODY.replace('sOO8', 'sOO9'), TRAILER)).toBe('SignatureDoesNotMatch');
    expect(await refusal(TRAILER_BODY.replace(':d81f', ':d81e'), TRAILER)).toBe('SignatureDoesNotMatch');
    expect(await refusal(TRAILER_BODY.replace(/x-amz-trailer.*\r\n/, ''), TRAILER)).toBe(
      'SignatureDoesNotMatch',
    );
  });
});
