import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { describe, expect, it } from 'vitest';
import { at, BUCKET, clientOf, type Fixture, openFixture, send } from './fixture.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64');

const getUrl = ({ s3 }: Fixture, key = 'key') =>
  getSignedUrl(s3, new GetObjectCommand(at(key)), { expiresIn: 60 });

async function putUrl(
  { server }: Fixture,
  more: Partial<PutObjectCommandInput> = {},
  unhoistable: string[] = [],
) {
  const s3 = clientOf(server, { requestChecksumCalculation: 'WHEN_REQUIRED' });
  const command = new PutObjectCommand({ ...at('key'), ...more });
  return getSignedUrl(s3, command, { expiresIn: 60, unhoistableHeaders: new Set(unhoistable) });
}

async function withObject(options: Parameters<typeof openFixture>[0] = {}): Promise<Fixture> {
  const fixture = await openFixture(options);
  await fixture.s3.send(new PutObjectCommand({ ...at('key'), Body: 'content' }));
  return fixture;
}

const code = async (answer: ReturnType<typeof send>) => {
  const { status, code } = await answer;
  return `${status} ${code}`;
};

describe('a presigned GET', () => {
  it('reads, with ranges and with the headers that its query asks for', async () => {
    const fixture = await withObject();
    const command = new GetObjectCommand({
      ...at('key'),
      ResponseContentType: 'text/y',
      ResponseExpires: new Date(0),
    });
    const url = await getSignedUrl(fixture.s3, command);
    const answer = await send(url, { headers: { range: 'bytes=0-2' } });
    expect([answer.status, answer.body.toString()]).toEqual([206, 'con']);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/y',
      expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
    });
  });

  it('is refused with a header that is none', async () => {
    const { s3 } = await withObject();
    const command = new GetObjectCommand({
      ...at('key'),
      ResponseContentDisposition: 'filename="\u{1F600}"',
    });
    expect(await code(send(await getSignedUrl(s3, command)))).toBe('400 InvalidArgument');
  });

  it('is refused when anything about it is changed', async () => {
    const fixture = await withObject();
    const url = await getUrl(fixture);
    expect((await send(url)).status).toBe(200);
    expect(await code(send(`${url}&digest=sha256`))).toBe('403 SignatureDoesNotMatch');
    expect(await code(send(url.replace('/key?', '/kez?')))).toBe('403 SignatureDoesNotMatch');
    expect(await code(send(url.replace('Expires=60', 'Expires=61')))).toBe('403 SignatureDoesNotMatch');
    expect(await code(send(url.replace('127.0.0.1', 'localhost')))).toBe('403 SignatureDoesNotMatch');
    expect((await send(url, { method: 'HEAD' })).status).toBe(403);
    const last = url.replace(/(X-Amz-Signature=[\da-f]{63})./, '$1g');
    expect(await code(send(last))).toBe('403 SignatureDoesNotMatch');
    expect(await code(send(url.replace(/X-Amz-Date=\w+&/, '')))).toBe(
      '400 AuthorizationQueryParametersError',
    );
    expect(await code(send(url.replace('Expires=60', 'Expires=604801')))).toBe(
      '400 AuthorizationQueryParametersError',
    );
  });

  it('is refused beside an Authorization header, of any kind', async () => {
    const url = await getUrl(await withObject());
    for (const authorization of ['Basic dTpw', 'Bearer token', 'AWS4-HMAC-SHA256 Credential=x']) {
      expect(await code(send(url, { headers: { authorization } }))).toBe('400 InvalidArgument');
    }
  });

  it('is refused with an x-amz header that is not signed', async () => {
    const url = await getUrl(await withObject());
    expect(await code(send(url, { headers: { 'x-amz-checksum-mode': 'ENABLED' } }))).toBe('403 AccessDenied');
  });

  it('ends when it expires, and starts no earlier than the clocks may differ', async () => {
    let shiftSeconds = 0;
    const now = () => new Date(Date.now() + shiftSeconds * 1000);
    const url = await getUrl(await withObject({ now }));
    shiftSeconds = 57;
    expect((await send(url)).status).toBe(200);
    shiftSeconds = 62;
    const late = await send(url);
    expect([late.status, late.code, late.body.toString()]).toEqual([
      403,
      'AccessDenied',
      expect.stringContaining('<Message>Request has expired</Message>'),
    ]);
    shiftSeconds = -14 * 60;
    expect((await send(url)).status).toBe(200);
    shiftSeconds = -16 * 60;
    expect(await code(send(url))).toBe('403 AccessDenied');
  });
});

describe('a presigned PUT', () => {
  it('stores what comes, with the metadata of its query', async () => {
    const fixture = await openFixture();
    const url = await putUrl(fixture, { Metadata: { by: 'me' } });
    const headers = { 'content-type': 'text/z' };
    expect((await send(url, { method: 'PUT', body: 'content', headers })).status).toBe(200);
    const head = await fixture.s3.send(new HeadObjectCommand(at('key')));
    expect(head).toMatchObject({ ContentLength: 7, ContentType: 'text/z', Metadata: { by: 'me' } });
  });

  it('ignores a checksum in its query, which is signed nonetheless', async () => {
    const fixture = await openFixture();
    const url = await putUrl(fixture, { ChecksumSHA256: sha256('expected') });
    expect(url).toContain('x-amz-checksum-sha256=');
    expect(await code(send(url.replace(/sha256=..../, 'sha256=AAAA'), { method: 'PUT', body: 'x' }))).toBe(
      '403 SignatureDoesNotMatch',
    );
    expect((await send(url, { method: 'PUT', body: 'other' })).status).toBe(200);
  });

  it('holds its sender to a checksum in a signed header', async () => {
    const url = await putUrl(await openFixture(), { ChecksumSHA256: sha256('expected') }, [
      'x-amz-checksum-sha256',
    ]);
    const headers = { 'x-amz-checksum-sha256': sha256('expected') };
    expect(await code(send(url, { method: 'PUT', body: 'other', headers }))).toBe('400 BadDigest');
    expect(await code(send(url, { method: 'PUT', body: 'expected' }))).toBe('403 SignatureDoesNotMatch');
    expect((await send(url, { method: 'PUT', body: 'expected', headers })).status).toBe(200);
  });

  it('holds its sender to a signed length and to signed conditions', async () => {
    const fixture = await openFixture();
    const sized = await putUrl(fixture, { ContentLength: 3 });
    expect(await code(send(sized, { method: 'PUT', body: 'four' }))).toBe('403 SignatureDoesNotMatch');
    expect((await send(sized, { method: 'PUT', body: 'two' })).status).toBe(200);
    const fresh = await putUrl(fixture, { IfNoneMatch: '*' });
    expect(await code(send(fresh, { method: 'PUT', body: 'x' }))).toBe('403 SignatureDoesNotMatch');
    const headers = { 'if-none-match': '*' };
    expect(await code(send(fresh, { method: 'PUT', body: 'x', headers }))).toBe('412 PreconditionFailed');
  });

  it('is NotImplemented as a chunked body, and needs a length', async () => {
    const url = await putUrl(await openFixture());
    const chunked = { 'transfer-encoding': 'chunked' };
    expect(await code(send(url, { method: 'PUT', body: 'x', headers: chunked }))).toBe('501 NotImplemented');
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const { host, pathname, search } = new URL(url);
    socket.end(`PUT ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(await text(socket)).toContain('<Code>MissingContentLength</Code>');
  });

  it('uploads a part', async () => {
    const { s3, server } = await openFixture();
    const plain = clientOf(server, { requestChecksumCalculation: 'WHEN_REQUIRED' });
    const { UploadId } = await plain.send(new CreateMultipartUploadCommand(at('key')));
    const part = new UploadPartCommand({ ...at('key'), UploadId, PartNumber: 1 });
    expect((await send(await getSignedUrl(plain, part), { method: 'PUT', body: 'x' })).status).toBe(200);
    const other = new UploadPartCommand({ ...at('kez'), UploadId, PartNumber: 1 });
    expect(await code(send(await getSignedUrl(s3, other), { method: 'PUT', body: 'x' }))).toBe(
      '404 NoSuchUpload',
    );
  });
});

it('has no PATCH, no form upload, and nothing for strangers', async () => {
  const fixture = await withObject();
  const url = await getUrl(fixture);
  const object = `${fixture.server.url}/${BUCKET}/key`;
  expect(await code(send(url, { method: 'PATCH', body: 'x' }))).toBe('405 MethodNotAllowed');
  expect(await code(send(object, { method: 'POST', body: 'x' }))).toBe('405 MethodNotAllowed');
  expect(await code(send(object))).toBe('403 AccessDenied');
  expect(await code(send(`${object}?response-content-type=x`))).toBe('400 InvalidRequest');
  expect(await code(send(object, { headers: { authorization: 'Basic dTpw' } }))).toBe('400 InvalidArgument');
  expect(await code(send(`${object}%zz`))).toBe('400 InvalidURI');
});
