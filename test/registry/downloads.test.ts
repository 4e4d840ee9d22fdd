import { beforeEach, describe, expect, it } from 'vitest';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { DownloadsLine } from '../../functions/registry/download-limits.ts';
import { Downloads } from '../../functions/registry/downloads.ts';
import { type DownloadLimits, putPolicy } from '../../functions/registry/policies.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { trafficIn } from '../../functions/registry/traffic.ts';
import type { Operation } from '../../functions/storage/table.ts';
import { type Fixture, openFixture, through } from './fixture.ts';

const MB = 1_000_000;
const GB = 1000 * MB;
const HOUR = 60 * 60_000;
const PUBLIC = 'public/app' as RepositoryName;
const CONTAINERS = 16;

/** Dollars, us-east-1, 2026-11: a write unit of the table, and a byte that S3 sends to the internet at the cheapest of its steps. */
const WRITE = 0.625 / 1e6;
const READ = 0.125 / 1e6;
const BYTE = 0.05 / 2 ** 30;

let fixture: Fixture;
let told: DownloadsLine[];
let counted: { writes: number; reads: number };

beforeEach(async () => {
  fixture = await openFixture();
  [told, counted] = [[], { writes: 0, reads: 0 }];
});

/** A process of its own over the same table, whose calls are counted as they are billed. */
function container(): Registry & { readonly downloads: Downloads } {
  const { table } = fixture.registry;
  const own = through(table, {
    get: (key) => {
      counted.reads += 1;
      return table.get(key);
    },
    write: (operations: readonly Operation[]) => {
      counted.writes += operations.length > 1 ? 2 * operations.length : 1;
      return table.write(operations);
    },
  });
  return { ...fixture.registry, table: own, downloads: new Downloads((line) => told.push(line)) };
}

const limit = (downloads: DownloadLimits) =>
  putPolicy(fixture.registry, { name: 'public', repositories: ['public/*'], downloads });

async function download(to: ReturnType<typeof container>, principal: string, bytes: number) {
  const isAnonymous = principal === 'anonymous';
  const what = { repository: PUBLIC, principal, isAnonymous, bytes };
  try {
    await to.downloads.count(to, what);
    return undefined;
  } catch (error) {
    return error as Error & { code: string; headers: Record<string, string> };
  }
}

/** All at once, until each of them has been refused some times; answers the bytes that were let go. */
async function flood(containers: readonly ReturnType<typeof container>[], size: () => number) {
  let bytes = 0;
  const flooding = containers.map(async (each) => {
    for (let refused = 0; refused < 5; ) {
      const asked = Array.from({ length: 4 }, size);
      const errors = await Promise.all(asked.map((one) => download(each, 'anonymous', one)));
      for (const [index, error] of errors.entries()) {
        if (error) refused += 1;
        else bytes += asked[index] ?? 0;
      }
    }
  });
  await Promise.all(flooding);
  return bytes;
}

describe('a flood of a public repository by 16 containers', () => {
  it.each([
    ['layers of 20 MB', 100 * GB, () => 20 * MB],
    ['layers of all sizes', 100 * GB, () => 1 + Math.floor(Math.random() ** 4 * GB)],
    ['layers of 1 MB', 10 * GB, () => MB],
  ])('%s is stopped at its limit, and not long before', async (_, most, size) => {
    await limit({ anonymous: most });
    const bytes = await flood(Array.from({ length: CONTAINERS }, container), size);
    expect(bytes).toBeLessThanOrEqual(most);
    expect(bytes).toBeGreaterThan(0.98 * most);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ is: 'downloads', policy: 'public', of: 'anonymous', limit: most });
  });

  it('costs less than a hundredth of what is counted', async () => {
    await limit({ anonymous: 100 * GB, all: 300 * GB });
    const bytes = await flood(Array.from({ length: CONTAINERS }, container), () => 20 * MB);
    expect(counted.writes * WRITE + counted.reads * READ).toBeLessThan(0.01 * bytes * BYTE);
    // No write for each layer.
    expect(counted.writes).toBeLessThan(bytes / (20 * MB));
  });

  it('keeps nobody else from pulling, and ends with the day', async () => {
    await limit({ anonymous: GB, principal: 2 * GB });
    const containers = Array.from({ length: CONTAINERS }, container);
    await flood(containers, () => 20 * MB);
    const [one, other] = containers as [ReturnType<typeof container>, ReturnType<typeof container>];
    const refused = await download(one, 'anonymous', 20 * MB);
    expect(refused).toMatchObject({ code: 'TOOMANYREQUESTS', headers: { 'Retry-After': `${24 * 3600}` } });
    expect(refused?.message).toBe(
      'the policy "public" allows all who have no login together downloads of 953.7 MiB a day, of which fewer than 19.1 MiB are left; log in, or come back after 00:00 UTC',
    );
    for (let layer = 0; layer < 50; layer += 1) {
      expect(await download(one, 'user:alice', 20 * MB)).toBeUndefined();
      expect(await download(other, 'robot:ci', 20 * MB)).toBeUndefined();
    }
    fixture.clock += 24 * HOUR;
    expect(await download(one, 'anonymous', 20 * MB)).toBeUndefined();
  });
});

describe('a limit of downloads', () => {
  it('of each login is its own, and that of all counts everybody', async () => {
    await limit({ principal: 100 * MB, all: 250 * MB });
    const one = container();
    expect(await download(one, 'user:alice', 100 * MB)).toBeUndefined();
    expect((await download(one, 'user:alice', MB))?.message).toContain('each user or robot');
    expect(await download(one, 'user:bob', 90 * MB)).toBeUndefined();
    expect((await download(one, 'anonymous', 61 * MB))?.message).toContain('everybody together');
    // What was refused by one limit is taken of no other.
    expect((await download(one, 'user:carol', 61 * MB))?.message).toContain('everybody together');
    expect(await download(one, 'user:carol', 55 * MB)).toBeUndefined();
  });

  it('that a team has set holds where admins of the registry let it', async () => {
    const team = { name: 'team', repositories: ['public/*'], isTeams: true, downloads: { anonymous: 0 } };
    await putPolicy(fixture.registry, team);
    expect(await download(container(), 'anonymous', MB)).toMatchObject({ code: 'TOOMANYREQUESTS' });
    await putPolicy(fixture.registry, { name: 'admins', repositories: ['*'], teams: ['retention'] });
    expect(await download(container(), 'anonymous', MB)).toBeUndefined();
  });

  it('says so where it never has room for a layer', async () => {
    await limit({ anonymous: MB });
    expect((await download(container(), 'anonymous', 2 * MB))?.message).toContain('never has room');
  });

  it('holds within a minute where it was changed, and where it was set by itself', async () => {
    const one = container();
    expect(await download(one, 'anonymous', GB)).toBeUndefined();
    await limit({ anonymous: 0 });
    fixture.clock += 60_000;
    expect(await download(one, 'anonymous', 1)).toMatchObject({ code: 'TOOMANYREQUESTS' });
    await limit({ anonymous: GB });
    fixture.clock += 60_000;
    expect(await download(one, 'anonymous', MB)).toBeUndefined();
  });
});

it('an honest crowd of 200 below their limits meets none of them', async () => {
  const each = 10 * 20 * MB;
  await limit({ principal: each, all: Math.ceil((200 * each) / 0.9) });
  const containers = Array.from({ length: CONTAINERS }, container);
  const pulls = Array.from({ length: 200 }, async (_, client) => {
    const errors: Awaited<ReturnType<typeof download>>[] = [];
    // Each client's connections end at one container or another.
    for (let layer = 0; layer < 10; layer += 1) {
      const to = containers[(client + (layer > 4 ? 1 : 0)) % CONTAINERS] as ReturnType<typeof container>;
      errors.push(await download(to, `user:u${client}`, 20 * MB));
    }
    return errors.filter((error) => error !== undefined);
  });
  expect((await Promise.all(pulls)).flat()).toEqual([]);
});

describe('what was downloaded in a month', () => {
  it('is told by repository and by principal, of all processes, with less than a write for each', async () => {
    const [one, other] = [container(), container()];
    for (let count = 0; count < 500; count += 1) {
      await download(one, 'user:alice', 1000);
      await download(other, 'anonymous', 10 * MB);
    }
    expect(counted.writes).toBeLessThan(120);
    await one.downloads.flush(one);
    await other.downloads.flush(other);
    const alice = { downloads: 500, bytes: 500_000 };
    const anonymous = { downloads: 500, bytes: 5 * GB };
    expect(await trafficIn(fixture.registry, '2026-01')).toEqual({
      repositories: [{ name: PUBLIC, downloads: 1000, bytes: alice.bytes + anonymous.bytes }],
      principals: [
        { name: 'anonymous', ...anonymous },
        { name: 'user:alice', ...alice },
      ],
    });
    expect(await trafficIn(fixture.registry, '2026-02')).toEqual({ repositories: [], principals: [] });
  });
});
