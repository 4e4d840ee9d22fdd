import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Traffic } from '../../api/types.ts';
import { LIST_PRICES } from '../../cli/cost/prices.ts';
import { scratch } from '../scratch.ts';
import { blob } from '../wire/content.ts';
import { type Host, startHost } from './program.ts';
import { pushImage } from './push.ts';

// The real program against a real registry; its images are small, so a byte costs a dollar here.

const PASSWORD = 'one that was chosen for this';
const BYTES_IN_GB = 2 ** 30;

let host: Host;
beforeAll(async () => {
  host = await startHost();
  const { admin, registry } = host;
  await admin.print('user create pusher --password-stdin --grant team/*:pull,push', PASSWORD);
  const pusher = { username: 'pusher', password: PASSWORD };
  for (const image of ['team/app:v1', 'team/app:v2', 'team/app:nightly', 'team/other:v1'])
    await pushImage(registry.url, pusher, image, 'shared'); // a config of 18 bytes, the same in all
  await pushImage(registry.url, pusher, 'team/app:own', 'of-its-own'); // 22 bytes
});
afterAll(() => host.stop());

/** Prices by which only what is named costs anything. */
async function pricesOf(prices: Readonly<Record<string, number>>): Promise<string> {
  const items = Object.entries(LIST_PRICES.items).map(([name, item]) => [
    name,
    { ...item, price: prices[name] ?? 0, per: 1 },
  ]);
  const file = join(await scratch(), 'prices.json');
  const content = { asOf: '2026-11', region: 'test', items: Object.fromEntries(items) };
  await writeFile(file, JSON.stringify(content));
  return file;
}

it('tells what tags cost: each blob once, and its part where repositories share it', async () => {
  const { admin } = host;
  const prices = await pricesOf({ storage: BYTES_IN_GB });
  const all = await admin.run(`cost team/app --prices ${prices}`);
  expect(all.stdout).toMatch(/^these 4 tags cost \$31\.00 a month: \$31\.00 storage, \$0\.00 requests$/m);
  expect(all.stdout).toMatch(/^they lead to: +2 manifests, 2 blobs, 40 B$/m);
  expect(all.stdout).toMatch(/^elsewhere, too: +18 B, which S3 holds once for all$/m);
  const some = await admin.run(['cost', 'team/app', '--tags', 'v*', '--prices', prices]);
  expect(some.stdout).toMatch(/^these 2 tags cost \$9\.00 a month/m);
  expect(some.stdout).toMatch(/^stays if they go: +18 B/m);
  const one = await admin.run(`cost team/app --tags own --prices ${prices}`);
  expect(one.stdout).toMatch(/^this 1 tag costs \$22\.00 a month/m);
  expect(one.stdout).not.toContain('stays if they go');
  const none = await admin.run(`cost team/app --tags x --prices ${prices}`);
  expect(none.stdout).toMatch(/^these 0 tags cost \$0\.00 a month/m);
});

it('prices the pushes that the audit trail has', async () => {
  const { admin } = host;
  const prices = await pricesOf({ uploads: 0, edgeRequests: 1 });
  const { stdout, stderr } = await admin.run(`cost team/app --days 30 --prices ${prices}`);
  expect(stdout).toMatch(/^pushes: +4 since \d{4}-/m);
  expect(stdout).toMatch(/^logins to pull: +0, from the whole repository$/m);
  expect(stderr).toContain('pulls without a login');
  const [, dollars = ''] = /\$([\d.]+) requests/.exec(stdout) ?? [];
  const perPush = 7; // of an image without layers: challenge, token, 2 HEADs, POST and PUT of the config, manifest
  expect(Number(dollars)).toBeCloseTo((4 * perPush * (365 / 12)) / 30, 1);
});

it('tells the whole of all repositories, which is what S3 bills', async () => {
  const { admin, registry, as } = host;
  const prices = await pricesOf({ storage: BYTES_IN_GB });
  const { stdout, stderr } = await admin.run(`cost --repositories --prices ${prices}`);
  expect(stdout).toMatch(/^REPOSITORY +TAGS +SIZE +ITS PART +STORAGE +REQUESTS +A MONTH$/m);
  expect(stdout).toMatch(/^team\/app +4 +40 B +31 B +\$31\.00 +- +\$31\.00$/m);
  expect(stdout).toMatch(/^team\/other +1 +18 B +9 B +\$9\.00 +- +\$9\.00$/m);
  expect(stdout).toMatch(/^total +\$40\.00$/m);
  expect(stderr).toContain('list prices of test as of 2026-11');
  const told = (await admin.json(`cost --repositories --prices ${prices}`)) as { total: number };
  expect(told.total).toBe(40);
  const reader = await as();
  await admin.print('user create reader --password-stdin --grant team/other:pull', PASSWORD);
  await reader.print(`login ${registry.url} -u reader --password-stdin`, PASSWORD);
  const seen = await reader.run(`cost --repositories --prices ${prices}`);
  expect(seen.stdout).toMatch(/^team\/other +1 +18 B +- +\$18\.00/m);
  expect(seen.stdout).not.toContain('team/app');
});

it('tells what was downloaded this month, by repository and by whom', async () => {
  const { admin, registry } = host;
  const authorization = `Basic ${Buffer.from(`pusher:${PASSWORD}`).toString('base64')}`;
  const token = await fetch(`${registry.url}/token?scope=repository:team/app:pull`, {
    headers: { authorization },
  });
  const headers = { authorization: `Bearer ${((await token.json()) as { token: string }).token}` };
  const before = (await admin.json('cost --live')) as Traffic;
  const { digest } = blob('{"image":"of-its-own"}');
  const layer = await fetch(`${registry.url}/v2/team/app/blobs/${digest}`, { headers });
  const size = (await layer.bytes()).length;
  const prices = await pricesOf({ egress: BYTES_IN_GB });
  const live = (await admin.json(`cost --live --prices ${prices}`)) as Traffic & { total: number };
  const of = ({ principals }: Traffic) =>
    principals.find(({ principal }) => principal === 'user:pusher')?.bytes ?? 0;
  expect(of(live) - of(before)).toBe(size);
  expect(live.total).toBe(live.repositories.reduce((sum, { bytes }) => sum + bytes, 0));
  const { stdout, stderr } = await admin.run(`cost --live --prices ${prices}`);
  expect(stdout).toMatch(/^REPOSITORY +DOWNLOADS +BYTES +AT MOST$/m);
  expect(stdout).toMatch(/^user:pusher +\d+ +\d+ B +\$\d/m);
  expect(stderr).toContain('as if all of it went to the internet');
});

it("has no repository and no download pay for the alarms, which are the registry's", async () => {
  const { admin } = host;
  const prices = await pricesOf({ alarms: 1 });
  const { stdout } = await admin.run(`cost team/app --prices ${prices}`);
  expect(stdout).toMatch(/^these 4 tags cost \$0\.00 a month: \$0\.00 storage, \$0\.00 requests$/m);
  for (const asked of ['cost --repositories', 'cost --live'])
    expect(await admin.json(`${asked} --prices ${prices}`)).toMatchObject({ total: 0 });
});

it('tells who may only pull what is stored, and that the use is not for them', async () => {
  const { admin, registry, as } = host;
  const viewer = await as();
  await admin.print('user create viewer --password-stdin --grant team/app:pull', PASSWORD);
  await viewer.print(`login ${registry.url} -u viewer --password-stdin`, PASSWORD);
  const { code, stdout, stderr } = await viewer.run('cost team/app');
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^these 4 tags cost/) });
  expect(stdout).not.toMatch(/requests|pushes|elsewhere/);
  expect(stderr).toContain('storage alone');
  expect(await viewer.json('cost team/app')).toMatchObject({
    name: 'team/app',
    usage: { complete: true, tagged: { tags: 4, bytes: 40 } },
  });
  expect(await viewer.run('cost team/other')).toMatchObject({ code: 1, stdout: '' });
});
