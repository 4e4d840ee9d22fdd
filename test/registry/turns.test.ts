import { expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { LOST, untilWon } from '../../functions/registry/races.ts';
import { Turns } from '../../functions/registry/turns.ts';
import { imageOf, openFixture, push, pushBlob, REPOSITORY, refusal, through } from './fixture.ts';

/** Tells when somebody has a turn. */
class WatchedTurns extends Turns {
  isTaken = false;

  override async take(name: string): Promise<() => void> {
    const end = await super.take(name);
    this.isTaken = true;
    return end;
  }
}

/** Pushes of one manifest, with ever more tags, that come without end: each write of somebody else meets one that was committed just before, until they have to wait. */
async function openCrowd(turns?: WatchedTurns) {
  const { registry } = await openFixture();
  const config = await pushBlob(registry);
  const doomed = await push(registry, imageOf(config));
  const waiting: Promise<unknown>[] = [];
  const another = () => push({ ...registry, ...(turns && { turns }) }, imageOf(config), `v${waiting.length}`);
  const table = through(registry.table, {
    async write(operations) {
      const pushed = another();
      waiting.push(pushed);
      if (!turns?.isTaken) await pushed;
      return registry.table.write(operations);
    },
  });
  return { registry: { ...registry, table, ...(turns && { turns }) }, doomed, waiting };
}

it('a delete gets through between pushes that never end, where there are turns, and they after it', async () => {
  const { registry, doomed, waiting } = await openCrowd(new WatchedTurns());
  await deleteManifest(registry, REPOSITORY, doomed);
  expect(await findManifest(registry, REPOSITORY, { kind: 'digest', digest: doomed })).toBeUndefined();
  expect(waiting).toHaveLength(4); // its mark and its removal, twice
  await Promise.all(waiting);
});

it('is refused after 20 s of losses where there are none', async () => {
  const { registry, doomed } = await openCrowd();
  expect(await refusal(deleteManifest(registry, REPOSITORY, doomed))).toBe('TOOMANYREQUESTS');
  expect(registry.steady()).toBeGreaterThanOrEqual(20_000);
});

it('turns are had in the order of their asking, one at a time, and others wait meanwhile', async () => {
  const turns = new Turns();
  const had: string[] = [];
  const have = async (name: string, who: string) => {
    const end = await turns.take(name);
    had.push(`${who} begins`);
    await new Promise(setImmediate);
    had.push(`${who} ends`);
    end();
  };
  const all = [have('a', 'first'), have('a', 'second'), turns.free('a').then(() => had.push('others'))];
  await turns.free('b');
  await Promise.all(all);
  expect(had).toEqual(['first begins', 'first ends', 'second begins', 'second ends', 'others']);
  await turns.free('a');
});

it('a turn ends with whoever has it, also where that fails', async () => {
  const turns = new WatchedTurns();
  const { registry } = await openCrowd(turns);
  const digest = digestOf('sha256', Buffer.from('none'));
  expect(await refusal(deleteManifest(registry, REPOSITORY, digest))).toBe('MANIFEST_UNKNOWN');
  await turns.free(digest);
});

it('a race ends when the time of its request does', async () => {
  const { registry } = await openFixture();
  const racing = untilWon({ ...registry, racesUntil: 3000 }, async () => LOST);
  expect(await refusal(racing)).toBe('TOOMANYREQUESTS');
  expect(registry.steady()).toBeLessThan(5000);
});
