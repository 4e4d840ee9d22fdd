import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAppHost } from '../wire/app-host.ts';
import { blob, type Content, config, digestOf, layer, OCI_INDEX, OCI_MANIFEST } from '../wire/content.ts';
import { expectSoundAnswer } from './answers.ts';
import {
  type GeneratedRequest,
  INDEX,
  MANIFEST,
  mutatedManifest,
  REPOSITORY,
  request,
  TAG,
} from './requests.ts';

/** Enough for a thousand requests in every run of the tests; more is worth it when nobody waits. */
const PROPERTY_MILLISECONDS = Number(process.env['STOWAGE_FUZZ_SECONDS'] ?? 3) * 1000;
const bounded = {
  numRuns: 10_000_000,
  interruptAfterTimeLimit: PROPERTY_MILLISECONDS,
  markInterruptAsFailure: false,
} satisfies fc.Parameters<unknown>;
const testMilliseconds = PROPERTY_MILLISECONDS + 30_000;

/** Repositories that no other test leaves anything in. */
const BLOBS = 'fuzz/blobs';
const MANIFESTS = 'fuzz/manifests';

let host: Awaited<ReturnType<typeof openAppHost>>;

beforeAll(async () => {
  host = await openAppHost();
});

afterAll(async () => {
  await host.close();
});

async function send(method: string, path: string, init: RequestInit = {}): Promise<Response> {
  return await host.fetch(path, { method, ...init });
}

async function startUpload(repository: string): Promise<string> {
  const started = await send('POST', `/v2/${repository}/blobs/uploads/`);
  return started.headers.get('location') ?? '';
}

/** What the generated requests may find: two blobs, an image and an index. */
async function pushFixture(repository: string): Promise<void> {
  for (const { bytes, digest } of [config, layer]) {
    await send('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: bytes });
  }
  for (const [manifest, tag] of [
    [MANIFEST, TAG],
    [INDEX, 'list'],
  ] as const) {
    const headers = { 'Content-Type': manifest.mediaType };
    await send('PUT', `/v2/${repository}/manifests/${tag}`, { headers, body: manifest.bytes });
  }
}

/** Sends it, and returns whether it deleted something. */
async function sendGenerated(generated: GeneratedRequest, upload: string): Promise<boolean> {
  const { method, headers, body } = generated;
  const path = generated.path.replace('{upload}', upload);
  const answer = await host.fetch(path, { method, headers, ...(body && { body }) });
  await expectSoundAnswer(answer, `${method} ${path} ${JSON.stringify(headers)}`);
  return method === 'DELETE' && answer.status === 202;
}

describe('any request', () => {
  it('is answered without a 5xx, and refused in the form of the specification', {
    timeout: testMilliseconds,
  }, async () => {
    const sequence = fc.array(request, { minLength: 1, maxLength: 12 });
    let complete = false;
    await fc.assert(
      fc.asyncProperty(sequence, async (requests) => {
        if (!complete) await pushFixture(REPOSITORY);
        complete = true;
        const upload = await startUpload(REPOSITORY);
        for (const generated of requests) {
          if (await sendGenerated(generated, upload)) complete = false;
        }
      }),
      bounded,
    );
  });
});

/** A client that uploads these chunks in this way and then names this content's digest. */
const push = fc.record({
  chunks: fc.array(fc.record({ bytes: fc.uint8Array({ maxLength: 40 }), from: fc.option(fc.nat(40)) }), {
    maxLength: 4,
  }),
  last: fc.option(fc.uint8Array({ maxLength: 40 })),
  claims: fc.oneof(fc.constant('sent'), fc.uint8Array({ maxLength: 40 })),
  algorithm: fc.constantFrom('sha256', 'sha512'),
});

type Push = typeof push extends fc.Arbitrary<infer T> ? T : never;

/** Pushes, and returns the digest claimed and whether the registry said it has it. */
async function runPush({
  chunks,
  last,
  claims,
  algorithm,
}: Push): Promise<{ digest: string; created: boolean }> {
  let location = await startUpload(BLOBS);
  const accepted: Uint8Array[] = [];
  for (const { bytes, from } of chunks) {
    const headers = from === null ? {} : { 'Content-Range': `${from}-${from + bytes.length - 1}` };
    const answer = await send('PATCH', location, { headers, body: blob(bytes).bytes });
    location = answer.headers.get('location') ?? location;
    if (answer.status === 202) accepted.push(bytes);
    await expectSoundAnswer(answer, 'PATCH');
  }
  const content = claims === 'sent' ? Buffer.concat([...accepted, last ?? new Uint8Array()]) : claims;
  const digest = digestOf(content, algorithm === 'sha512' ? 'sha512' : 'sha256');
  const closing = last === null ? {} : { body: blob(last).bytes };
  const answer = await send(
    'PUT',
    `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`,
    closing,
  );
  await expectSoundAnswer(answer, `PUT ${digest}`);
  return { digest, created: answer.status === 201 };
}

const FUZZED = `/v2/${MANIFESTS}/manifests/fuzzed`;

async function expectManifest(path: string, exists: boolean, { bytes }: Content): Promise<void> {
  const read = await send('GET', path);
  const same = Buffer.compare(new Uint8Array(await read.arrayBuffer()), bytes) === 0;
  expect([read.status, same], Buffer.from(bytes).toString()).toEqual([exists ? 200 : 404, exists]);
}

describe('what is refused', () => {
  it('does not become a readable blob, and what is accepted has its digest', {
    timeout: testMilliseconds,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(push, async (generated) => {
        const { digest, created } = await runPush(generated);
        const read = await send('GET', `/v2/${BLOBS}/blobs/${digest}`);
        const bytes = new Uint8Array(await read.arrayBuffer());
        expect(read.status).toBe(created ? 200 : 404);
        if (created) expect(digestOf(bytes, digest.startsWith('sha512') ? 'sha512' : 'sha256')).toBe(digest);
        await send('DELETE', `/v2/${BLOBS}/blobs/${digest}`);
      }),
      bounded,
    );
  });

  it('does not become a readable manifest, and what is accepted comes back byte for byte', {
    timeout: testMilliseconds,
  }, async () => {
    await pushFixture(MANIFESTS);
    await fc.assert(
      fc.asyncProperty(mutatedManifest, fc.constantFrom(OCI_MANIFEST, OCI_INDEX), async (text, mediaType) => {
        const content = blob(text);
        fc.pre(content.digest !== MANIFEST.digest && content.digest !== INDEX.digest);
        const headers = { 'Content-Type': mediaType };
        const pushed = await send('PUT', FUZZED, { headers, body: content.bytes });
        await expectSoundAnswer(pushed, `PUT ${text}`);
        const byDigest = `/v2/${MANIFESTS}/manifests/${content.digest}`;
        for (const path of [FUZZED, byDigest]) await expectManifest(path, pushed.status === 201, content);
        await send('DELETE', byDigest);
      }),
      bounded,
    );
  });
});
