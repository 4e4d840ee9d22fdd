import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { type Opened, openScene, PART_BYTES, put, REPOSITORY, type Scene, sha256 } from './scene.ts';

// Layers that are too large for one PUT: the client sends the parts to S3 itself, and the registry puts them together and reads
// them, because only all of the bytes tell what digest they have.

const MIB = 1024 * 1024;
const LAYER = randomBytes(2 * PART_BYTES + 1000);
const DIGEST = sha256(LAYER);
const GIB = 1024 ** 3;

const open = (scene: Scene, digest = DIGEST) => scene.open(digest, LAYER.length, '&parts=true');
const close = (scene: Scene, { location }: Opened, digest = DIGEST) =>
  scene.call(`PUT ${location}&digest=${digest}`);
const isThere = async (scene: Scene, digest = DIGEST) =>
  (await scene.call(`HEAD /v2/${REPOSITORY}/blobs/${digest}`)).status === 200;
const partOf = (number: number) => LAYER.subarray((number - 1) * PART_BYTES, number * PART_BYTES);

it('a layer in parts becomes a blob once all of it was read', async () => {
  const scene = await openScene();
  const opened = await open(scene);
  expect(opened).toMatchObject({
    status: 202,
    whole: undefined,
    parts: { partBytes: PART_BYTES, there: [] },
  });
  await scene.sendParts(opened, LAYER);
  expect(await isThere(scene)).toBe(false);
  expect((await close(scene, opened)).status).toBe(201);
  expect((await close(scene, opened)).status).toBe(201);
  expect(await isThere(scene)).toBe(true);
  const { headers } = await scene.call(`GET /v2/${REPOSITORY}/blobs/${DIGEST}`);
  expect(sha256(await (await fetch(headers.get('location') ?? '')).bytes())).toBe(DIGEST);
});

it('above 5 GiB there is no other way, and no more parts than S3 lists at once or twice', async () => {
  const scene = await openScene();
  expect((await scene.open(DIGEST, 6 * GIB)).parts?.partBytes).toBe(PART_BYTES);
  expect((await scene.open(DIGEST, 200 * GIB)).parts?.partBytes).toBe(103 * MIB);
  expect((await scene.open(DIGEST, 6000 * GIB)).status).toBe(413);
});

it('an upload that was cut goes on with the parts that S3 has, also from another process', async () => {
  const scene = await openScene();
  const opened = await open(scene);
  for (const number of [1, 3]) await put(await scene.part(opened, number, partOf(number)), partOf(number));
  const again = await open(scene);
  expect(again).toMatchObject({ location: opened.location, parts: { there: [1, 3] } });
  await scene.sendParts(again, LAYER);
  expect((await close(scene, again)).status).toBe(201);
});

it('parts that are missing are named, and nothing is lost', async () => {
  const scene = await openScene();
  const opened = await open(scene);
  await put(await scene.part(opened, 1, partOf(1)), partOf(1));
  const answer = await close(scene, opened);
  expect([answer.status, await answer.text()]).toEqual([
    400,
    expect.stringContaining('2 parts of this upload are missing'),
  ]);
  await scene.sendParts(await open(scene), LAYER);
  expect((await close(scene, opened)).status).toBe(201);
});

describe('is refused:', () => {
  it('other bytes than a part was signed for, or more of them, or a part that there is not', async () => {
    const scene = await openScene();
    const opened = await open(scene);
    const signed = await scene.part(opened, 1, partOf(1));
    expect(await put(signed, partOf(2))).toBe('400 BadDigest');
    const long = LAYER.subarray(0, PART_BYTES + 1);
    const length = { 'content-length': `${long.length}` };
    expect(await put(await scene.part(opened, 1, long), long, length)).toBe('403 SignatureDoesNotMatch');
    expect(await scene.part(opened, 4, partOf(1))).toBe(400);
    expect(
      await scene.part({ ...opened, location: opened.location.replace(/.\?/, '0?') }, 1, partOf(1)),
    ).toBe(404);
  });

  it('a layer whose parts are whole, but not those of the digest: it is no blob, and its bytes are gone', async () => {
    const scene = await openScene();
    const wrong = sha256(randomBytes(8));
    const opened = await open(scene, wrong);
    await scene.sendParts(opened, LAYER);
    const answer = await close(scene, opened, wrong);
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('DIGEST_INVALID')]);
    expect([await isThere(scene, wrong), await isThere(scene)]).toEqual([false, false]);
    expect(await scene.registry.blobs.list(undefined, 10)).toEqual([]);
  });

  it('another digest than was announced, and a chunk in between', async () => {
    const scene = await openScene();
    const wrong = sha256(randomBytes(8));
    const opened = await open(scene, wrong);
    await scene.sendParts(opened, LAYER);
    expect((await close(scene, opened, DIGEST)).status).toBe(416);
    expect((await scene.call(`PATCH ${opened.location}`, randomBytes(100))).status).toBe(416);
    expect(await isThere(scene)).toBe(false);
  });

  it('a part that comes after the layer was put together, cancelled or deleted', async () => {
    const scene = await openScene();
    const opened = await open(scene);
    const late = await scene.part(opened, 1, partOf(1));
    await scene.sendParts(opened, LAYER);
    expect((await close(scene, opened)).status).toBe(201);
    expect(await put(late, partOf(1))).toBe('404 NoSuchUpload');
    expect((await scene.call(`DELETE /v2/${REPOSITORY}/blobs/${DIGEST}`)).status).toBe(202);
    expect(await put(late, partOf(1))).toBe('404 NoSuchUpload');
    const second = await open(scene);
    const signed = await scene.part(second, 1, partOf(1));
    expect((await scene.call(`DELETE ${second.location}`)).status).toBe(204);
    expect(await put(signed, partOf(1))).toBe('404 NoSuchUpload');
  });
});

it('a quota holds what was announced until the upload ends, and refuses what has no room', async () => {
  const scene = await openScene();
  await scene.setQuota(15 * MIB);
  const opened = await open(scene);
  const other = sha256(randomBytes(8));
  expect((await open(scene, other)).status).toBe(403);
  await scene.sendParts(opened, LAYER);
  expect((await close(scene, opened)).status).toBe(201);
  expect((await open(scene, other)).status).toBe(403);
  expect((await scene.call(`DELETE /v2/${REPOSITORY}/blobs/${DIGEST}`)).status).toBe(202);
  scene.ahead = 2 * 60_000; // usage is counted anew
  const last = await open(scene, other);
  expect(last.status).toBe(202);
  expect((await scene.call(`DELETE ${last.location}`)).status).toBe(204);
  expect((await open(scene)).status).toBe(202);
});

it('what nobody finishes is gone after its week', async () => {
  const scene = await openScene();
  const opened = await open(scene);
  await scene.sendParts(opened, LAYER);
  scene.ahead = 9 * 24 * 60 * 60_000;
  expect((await close(scene, opened)).status).toBe(404);
  await drainOutbox(scene.registry);
  expect(await isThere(scene)).toBe(false);
});
