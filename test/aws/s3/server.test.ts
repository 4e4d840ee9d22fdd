import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, it, vi } from 'vitest';
import { scratch } from '../../scratch.ts';
import { at, CREDENTIALS, clientOf, openFixture, refusal, sendSigned } from './fixture.ts';
import type { Fault, ObjectCreated } from './server.ts';

const put = (Body: string) => new PutObjectCommand({ ...at('key'), Body });
const get = () => new GetObjectCommand(at('key'));

describe('a signature in the headers', () => {
  it('is refused with another secret, key, region or session', async () => {
    const { server } = await openFixture();
    const read = (config: Parameters<typeof clientOf>[1]) => refusal(clientOf(server, config).send(get()));
    const credentials = (more: object) => ({ credentials: { ...CREDENTIALS, ...more } });
    expect(await read(credentials({ secretAccessKey: 'other' }))).toBe('403 SignatureDoesNotMatch');
    expect(await read(credentials({ accessKeyId: 'other' }))).toBe('403 InvalidAccessKeyId');
    expect(await read(credentials({ sessionToken: 'other' }))).toBe('400 InvalidToken');
    expect(await read({ region: 'us-west-2' })).toBe('400 AuthorizationHeaderMalformed');
    expect(await read({})).toBe('404 NoSuchKey');
  });

  it('is refused once the clocks differ by more than 15 minutes', async () => {
    let shiftMinutes = 14;
    const now = () => new Date(Date.now() + shiftMinutes * 60_000);
    const { server } = await openFixture({ now });
    const read = () => refusal(clientOf(server, { maxAttempts: 1 }).send(get()));
    expect(await read()).toBe('404 NoSuchKey');
    for (shiftMinutes of [16, -16]) expect(await read()).toBe('403 RequestTimeTooSkewed');
  });

  it('covers the method, the path, the query and every x-amz header', async () => {
    const fixture = await openFixture();
    const read = async (later: object) => (await sendSigned(fixture, 'key', { method: 'GET' }, later)).code;
    expect(await read({})).toBe('NoSuchKey');
    expect(await read({ method: 'DELETE' })).toBe('SignatureDoesNotMatch');
    expect(await read({ headers: { 'x-amz-meta-by': 'me' } })).toBe('AccessDenied');
    expect(await read({ headers: { 'x-amz-date': '20300101T000000Z' } })).toBe(
      'AuthorizationHeaderMalformed',
    );
    expect(await read({ headers: { authorization: 'AWS4-HMAC-SHA256 nonsense' } })).toBe(
      'AuthorizationHeaderMalformed',
    );
  });
});

describe('a fault', () => {
  /** A server that suffers these, one per request, and then none. */
  async function openFaulty(...faults: (Fault | undefined)[]) {
    const { server } = await openFixture({ before: async () => faults.shift() });
    return { server, s3: clientOf(server, { maxAttempts: 1 }) };
  }

  it('refuses before the effect', async () => {
    const { s3 } = await openFaulty(
      { status: 503, code: 'SlowDown' },
      { status: 500, code: 'InternalError' },
    );
    expect(await refusal(s3.send(put('x')))).toBe('503 SlowDown');
    expect(await refusal(s3.send(put('x')))).toBe('500 InternalError');
    expect(await refusal(s3.send(get()))).toBe('404 NoSuchKey');
  });

  it('loses the answer after the effect', async () => {
    const { s3 } = await openFaulty({ dropAnswer: true });
    await expect(s3.send(put('x'))).rejects.toThrow(/hang up|ECONNRESET/);
    const { Body } = await s3.send(get());
    expect(await Body?.transformToString()).toBe('x');
  });

  it('delays', async () => {
    const { s3 } = await openFaulty({ delayMs: 100 });
    const started = performance.now();
    await s3.send(put('x'));
    expect(performance.now() - started).toBeGreaterThan(95);
  });

  it('is overcome by the retries of the SDK', async () => {
    const faults: Fault[] = [{ status: 503, code: 'SlowDown' }, { dropAnswer: true }];
    const asked: object[] = [];
    const { s3 } = await openFixture({
      before: async (call) => {
        asked.push(call);
        return faults.shift();
      },
    });
    await s3.send(put('x'));
    const call = { operation: 'PutObject', key: 'key', method: 'PUT', presigned: false };
    expect(asked).toEqual(Array(3).fill(call));
  });
});

it('closes while a fault holds a request up, which then has no effect', async () => {
  const gate = Promise.withResolvers<undefined>();
  const directory = await scratch();
  const { server } = await openFixture({ directory, before: () => gate.promise });
  const lost = clientOf(server, { maxAttempts: 1 }).send(put('x'));
  await vi.waitFor(() => expect(server.calls).toHaveLength(1));
  await Promise.all([server.close(), expect(lost).rejects.toThrow()]);
  gate.resolve(undefined);
  const { s3 } = await openFixture({ directory });
  expect(await refusal(s3.send(get()))).toBe('404 NoSuchKey');
});

it('tells of every object that comes to be', async () => {
  const events: ObjectCreated[] = [];
  const { s3 } = await openFixture({ onObjectCreated: (event) => events.push(event) });
  const { ETag } = await s3.send(put('x'));
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at('key')));
  const part = await s3.send(new UploadPartCommand({ ...at('key'), UploadId, PartNumber: 1, Body: 'parts' }));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] };
  await s3.send(new CompleteMultipartUploadCommand({ ...at('key'), UploadId, MultipartUpload }));
  await refusal(s3.send(new PutObjectCommand({ ...at('key'), Body: 'x', IfNoneMatch: '*' })));
  await vi.waitFor(() => expect(events).toHaveLength(2));
  expect(events).toMatchObject([
    { reason: 'PutObject', key: 'key', size: 1, eTag: ETag?.replaceAll('"', '') },
    { reason: 'CompleteMultipartUpload', key: 'key', size: 5, eTag: expect.stringMatching(/-1$/) },
  ]);
  const [first, second] = events.map(({ sequencer }) => sequencer);
  expect(first && second && first < second).toBe(true);
});

it('goes on where an earlier server on its directory stopped', async () => {
  const directory = await scratch();
  const before = await openFixture({ directory });
  await before.s3.send(put('content'));
  const { UploadId } = await before.s3.send(new CreateMultipartUploadCommand(at('upload')));
  const upload = { ...at('upload'), UploadId };
  await before.s3.send(new UploadPartCommand({ ...upload, PartNumber: 4, Body: 'part' }));
  await before.server.close();
  const { s3 } = await openFixture({ directory });
  const { Body } = await s3.send(get());
  expect(await Body?.transformToString()).toBe('content');
  const { Parts } = await s3.send(new ListPartsCommand(upload));
  expect(Parts).toMatchObject([{ PartNumber: 4, Size: 4 }]);
  expect((await s3.send(new HeadObjectCommand(at('key')))).ContentLength).toBe(7);
});
