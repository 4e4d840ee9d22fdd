import { globSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import type { Tag } from '../../functions/oci/reference.ts';
import { deleteBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { graveKey, uploadKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { findRepository } from '../../functions/registry/repositories.ts';
import { findTag } from '../../functions/registry/tags.ts';
import { requireUpload } from '../../functions/registry/upload-sessions.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import { DEFAULT_LEASE } from '../../functions/upkeep/lease.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { type Embedded, openEmbedded } from '../../local/embedded.ts';
import { imageOf, OTHER, push, pushBlob, REPOSITORY, refusal } from '../registry/fixture.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { openUpload, pushImage } from './client.ts';

const [FAKETIME] = globSync('/usr/lib/*/faketime/libfaketime.so.1');

const [SECOND, HOUR] = [1000, 60 * 60_000];
const DAY = 24 * HOUR;

/** A machine: time goes by, and its clock may be wrong by any amount. */
class Machine {
  readonly told: string[] = [];
  readonly #data: string;
  /** The true time, and how much of it the machine was awake for. */
  #time = Date.UTC(2026, 11, 1);
  #awake = 0;
  /** How far its clock is off. */
  error = 0;
  /** Called before anybody looks at its clock. */
  onLook: () => void = () => undefined;
  #embedded: Embedded | undefined;

  constructor(data: string) {
    this.#data = data;
    onTestFinished(() => this.stop());
  }

  get registry(): Registry {
    if (!this.#embedded) throw new Error('it is not started');
    return this.#embedded.registry;
  }

  get trueTime(): number {
    return this.#time;
  }

  /** Starts the registry, which tidies at once. */
  async start({ error = 0, trustClock = false } = {}): Promise<void> {
    this.error = error;
    const wall = () => {
      this.onLook();
      return this.#time + this.error;
    };
    const clocks = { wall, steady: () => this.#awake };
    const tell = (what: string) => void this.told.push(what);
    this.#embedded = await openEmbedded({ data: this.#data, clocks, trustClock, tell });
    await this.#embedded.tidy(DEFAULT_LEASE);
  }

  /** Time of running, with a tidying in each hour, or each `step`. */
  async run(milliseconds: number, step = HOUR): Promise<void> {
    for (let left = milliseconds; left > 0; left -= step) {
      this.#time += Math.min(left, step);
      this.#awake += Math.min(left, step);
      await this.#embedded?.tidy(DEFAULT_LEASE);
    }
  }

  /** Off, or asleep. */
  rest(milliseconds: number): void {
    this.#time += milliseconds;
  }

  async stop(): Promise<void> {
    await this.#embedded?.close();
    this.#embedded = undefined;
  }
}

const TAG = 'one' as Tag;

/** A manifest that was deleted by mistake, an upload under way, a tag, and a blob that nothing uses. */
async function openWithAll() {
  const machine = new Machine(await scratch());
  await machine.start();
  const image = imageOf(await pushBlob(machine.registry));
  const deleted = await push(machine.registry, image);
  await push(machine.registry, imageOf(await pushBlob(machine.registry)), TAG);
  const unused = await pushBlob(machine.registry, OTHER);
  const { id } = await startUpload(machine.registry, REPOSITORY);
  await machine.run(DAY);
  await deleteManifest(machine.registry, REPOSITORY, deleted);
  return { machine, deleted, id, unused: unused.digest };
}

const keepThirtyDays = {
  name: 'p',
  repositories: ['*'],
  retention: { tags: [{ match: ['*'], keepNewerThanDays: 30 }] },
};

it('loses nothing to a clock that is 30 days ahead for three seconds, and collects on time afterwards', async () => {
  const { machine, deleted, id, unused } = await openWithAll();
  await machine.stop();
  await machine.start({ error: 30 * DAY });
  expect(machine.told.join()).toMatch(/30 days after it was last seen right.*STOWAGE_TRUST_CLOCK=1/);
  const fresh = await pushBlob(machine.registry, REPOSITORY);
  await machine.run(3 * SECOND);
  await machine.stop();
  await machine.start();
  expect(await machine.registry.table.get(graveKey(REPOSITORY, deleted))).toBeDefined();
  await requireUpload(machine.registry, REPOSITORY, id);
  await machine.run(4 * DAY);
  expect(await refusal(requireBlob(machine.registry, OTHER, unused))).toBe('BLOB_UNKNOWN');
  expect(await refusal(requireBlob(machine.registry, REPOSITORY, fresh.digest))).toBe('BLOB_UNKNOWN');
  expect(await machine.registry.table.get(graveKey(REPOSITORY, deleted))).toBeDefined();
  await machine.run(4 * DAY);
  expect(await machine.registry.table.get(graveKey(REPOSITORY, deleted))).toBeUndefined();
});

it('loses nothing to a clock that is put 60 days forward in the middle of a tidying, at any look at it', async () => {
  for (let [looks, jump] = [0, 1]; jump <= looks + 1; jump += 1) {
    const { machine, deleted, id } = await openWithAll();
    await putPolicy(machine.registry, keepThirtyDays);
    looks = 0;
    machine.onLook = () => {
      looks += 1;
      if (looks === jump) machine.error = 60 * DAY;
    };
    await machine.run(26 * HOUR, 26 * HOUR).catch(() => undefined); // a sweep says why it did not begin
    [machine.error, machine.onLook] = [0, () => undefined];
    const { registry } = machine;
    expect([jump, await registry.table.get(uploadKey(id))]).toEqual([jump, expect.anything()]);
    expect([jump, await registry.table.get(graveKey(REPOSITORY, deleted))]).toEqual([
      jump,
      expect.anything(),
    ]);
    expect([jump, await findTag(registry, REPOSITORY, TAG)]).toEqual([jump, expect.anything()]);
    await machine.stop();
  }
}, 180_000);

it.runIf(FAKETIME)('so does the registry itself (needs libfaketime)', async () => {
  const data = await scratch();
  const environment = { STOWAGE_OPEN: '1', STOWAGE_EPOCH_SECONDS: '3600' };
  const start = async (more: Record<string, string> = {}) => {
    const registry = await RegistryProcess.start(data, { ...environment, ...more });
    onTestFinished(() => registry.stop('SIGKILL'));
    return registry;
  };
  const before = await start();
  const { digest } = await pushImage(before.url, 'a', 'tag');
  const upload = (await openUpload(before.url, 'a')).headers.get('location');
  await fetch(`${before.url}/v2/a/manifests/${digest}`, { method: 'DELETE' });
  await before.stop('SIGTERM');
  const ahead = await start({ LD_PRELOAD: FAKETIME ?? '', FAKETIME: '+30d' });
  await expect
    .poll(() => ahead.banner + ahead.errors)
    .toMatch(/30 days after it was last seen right: nothing is deleted/);
  await ahead.stop('SIGTERM');
  const after = await start();
  expect((await fetch(after.url + upload)).status).toBe(204);
  await after.stop('SIGTERM');
  const { registry, close } = await openEmbedded({ data });
  onTestFinished(close);
  expect(await registry.table.get(graveKey('a' as typeof REPOSITORY, digest))).toBeDefined();
});

it('sweeps a repository on time that was made while the clock was ahead', async () => {
  const { machine } = await openWithAll();
  machine.error = 30 * DAY;
  const young = 'team/young' as typeof REPOSITORY;
  const { digest } = await pushBlob(machine.registry, young);
  machine.error = 0;
  await machine.run(4 * DAY);
  expect(await refusal(requireBlob(machine.registry, young, digest))).toBe('BLOB_UNKNOWN');
  const { epochAt } = (await findRepository(machine.registry, young)) ?? {};
  expect(epochAt).toBeLessThanOrEqual(machine.trueTime);
});

it('sweeps a repository on time that went to rest while the clock was ahead', async () => {
  const { machine, unused } = await openWithAll();
  await machine.run(4 * DAY);
  await machine.stop();
  await machine.start({ error: 20 * DAY, trustClock: true });
  await machine.run(DAY);
  expect(await refusal(requireBlob(machine.registry, OTHER, unused))).toBe('BLOB_UNKNOWN');
  const { sweepDue = 0 } = (await findRepository(machine.registry, REPOSITORY)) ?? {};
  expect(sweepDue).toBeGreaterThan(machine.trueTime + 20 * DAY);
  await machine.stop();
  await machine.start({ trustClock: true });
  const { sweepDue: mended } = (await findRepository(machine.registry, REPOSITORY)) ?? {};
  expect(mended).toBeLessThanOrEqual(machine.trueTime + DAY);
});

it('deletes no tag for its age while the clock is 60 days ahead, for less than a day', async () => {
  const { machine } = await openWithAll();
  await putPolicy(machine.registry, keepThirtyDays);
  await machine.stop();
  for (let start = 0; start < 20; start += 1) {
    await machine.start({ error: 60 * DAY });
    await machine.run(HOUR);
    await machine.stop();
  }
  await machine.start();
  await machine.run(2 * DAY);
  expect(await findTag(machine.registry, REPOSITORY, TAG)).toBeDefined();
  await machine.run(30 * DAY, DAY / 2);
  expect(await findTag(machine.registry, REPOSITORY, TAG)).toBeUndefined();
});

it('gives what is pushed and deleted in 1970 its time, once the clock is right a minute later', async () => {
  const { machine } = await openWithAll();
  await putPolicy(machine.registry, keepThirtyDays);
  await machine.stop();
  machine.rest(2 * HOUR);
  await machine.start({ error: -machine.trueTime });
  expect(machine.told.join()).toMatch(/the clock says 1970-.* days before it was last seen right/);
  const late = 'late' as Tag;
  await push(machine.registry, imageOf(await pushBlob(machine.registry)), late);
  const deleted = await push(machine.registry, imageOf(await pushBlob(machine.registry)), 'gone');
  await deleteManifest(machine.registry, REPOSITORY, deleted);
  const { id } = await startUpload(machine.registry, REPOSITORY);
  await machine.run(60 * SECOND);
  machine.error = 0;
  await machine.run(3 * DAY);
  expect(await findTag(machine.registry, REPOSITORY, late)).toBeDefined();
  expect(await machine.registry.table.get(graveKey(REPOSITORY, deleted))).toBeDefined();
  await requireUpload(machine.registry, REPOSITORY, id);
});

it('doubts 1970 at its first start, too, and stamps nothing with it', async () => {
  const machine = new Machine(await scratch());
  await machine.start({ error: -machine.trueTime });
  expect(machine.told.join()).toMatch(/the clock says 1970-.* days before it was last seen right/);
  const { id } = await startUpload(machine.registry, REPOSITORY);
  const deleted = await push(machine.registry, imageOf(await pushBlob(machine.registry)), TAG);
  await deleteManifest(machine.registry, REPOSITORY, deleted);
  await machine.run(60 * SECOND);
  machine.error = 0;
  await machine.run(3 * DAY);
  await requireUpload(machine.registry, REPOSITORY, id);
  expect(await machine.registry.table.get(graveKey(REPOSITORY, deleted))).toBeDefined();
});

it('goes on by itself after two weeks of sleep, a day of running later', async () => {
  const { machine, id, deleted } = await openWithAll();
  machine.rest(14 * DAY);
  await machine.run(20 * HOUR);
  expect(await machine.registry.table.get(uploadKey(id))).toBeDefined();
  expect(await machine.registry.table.get(graveKey(REPOSITORY, deleted))).toBeDefined();
  await machine.run(30 * HOUR);
  expect(await machine.registry.table.get(uploadKey(id))).toBeUndefined();
  expect(await machine.registry.table.get(graveKey(REPOSITORY, deleted))).toBeUndefined();
});

it('goes on by itself after 40 days off, in working days of eight hours too', async () => {
  const { machine, id } = await openWithAll();
  await machine.stop();
  machine.rest(40 * DAY);
  for (let day = 0; day < 5; day += 1) {
    await machine.start();
    const { digest } = await pushBlob(machine.registry);
    await machine.run(8 * HOUR);
    await requireBlob(machine.registry, REPOSITORY, digest);
    await machine.stop();
    machine.rest(16 * HOUR);
  }
  await machine.start();
  expect(await machine.registry.table.get(uploadKey(id))).toBeUndefined();
});

it('takes its operator by the word', async () => {
  const { machine, id } = await openWithAll();
  await machine.stop();
  machine.rest(40 * DAY);
  await machine.start({ trustClock: true });
  expect(machine.told).toEqual([]);
  expect(await machine.registry.table.get(uploadKey(id))).toBeUndefined();
});

it('believes a clock that was set back after a day, where it was wrong all the time before', async () => {
  const machine = new Machine(await scratch());
  await machine.start({ error: 60 * DAY });
  await machine.run(DAY);
  await machine.stop();
  await machine.start();
  await machine.run(25 * HOUR);
  expect(machine.registry.now()).toBe(machine.trueTime);
  expect(machine.registry.doubt?.()).toBeUndefined();
});

it('tells an admin who asks for a sweep meanwhile why there is none', async () => {
  const { machine } = await openWithAll();
  machine.error = 30 * DAY;
  const options = { ...DEFAULT_LEASE, until: Number.POSITIVE_INFINITY };
  await expect(sweepRepository(machine.registry, REPOSITORY, options)).rejects.toMatchObject({
    status: 409,
    message: expect.stringContaining('30 days after'),
  });
  expect(await sweepRepository(machine.registry, REPOSITORY, { ...options, dryRun: true })).toBe('done');
});

it('does not keep its owner from deleting', async () => {
  const { machine, unused } = await openWithAll();
  machine.error = 30 * DAY;
  await deleteBlob(machine.registry, OTHER, unused);
  expect(await refusal(requireBlob(machine.registry, OTHER, unused))).toBe('BLOB_UNKNOWN');
});
