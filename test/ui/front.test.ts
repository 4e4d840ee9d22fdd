import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AwsPath, startAwsPath } from '../aws/aws-path.ts';
import { hasBrowser, launch, openTab, WITHOUT } from './browser.ts';
import { Pusher } from './pusher.ts';
import { release } from './world.ts';

let path: AwsPath | undefined;
let browser: Browser;

beforeAll(async () => {
  if (!hasBrowser) return;
  [path, browser] = await Promise.all([startAwsPath(), launch()]);
  if (!path && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await path?.stop();
});

it.runIf(hasBrowser)(
  `the page is the same through the front door, the gateway and Lambda${WITHOUT}`,
  async ({ skip }) => {
    if (!path) return skip('no DynamoDB server for this platform');
    const { url, admin } = path;
    const pusher = await Pusher.to(url, 'team-a/app', admin);
    for (const version of ['v1.9.0', 'v1.10.0']) await pusher.push(version, release(version));
    const { page, wrongs } = await openTab(browser, url);
    await page.goto('/');
    await page.getByLabel('User name').fill(admin.username);
    await page.getByLabel('Password').fill(admin.password);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'team-a/app' }).click();
    await page.getByRole('link', { name: 'v1.10.0' }).waitFor();
    const tags = await page.locator('.body .name a').allInnerTexts();
    expect(tags).toEqual(['v1.10.0', 'v1.9.0']);
    await page.goto('/r/team-a/app/-/compare?a=v1.9.0&b=v1.10.0');
    await page.getByText('2 layers are the same').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL('/login');
    await page.goto('/r/team-a/app');
    await page.getByText('or you may not see it').waitFor();
    expect(wrongs).toEqual([]);
    const shell = await fetch(url, { headers: { accept: 'text/html' } });
    expect(shell.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'/);
    const plain = await fetch(url);
    expect([plain.status, await plain.json()]).toMatchObject([404, { errors: [{ code: 'UNSUPPORTED' }] }]);
    const [asset = ''] = /\/assets\/[\w.-]+\.js/.exec(await shell.text()) ?? [];
    const { status, headers } = await fetch(`${url}${asset}`);
    expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=31536000, immutable']);
  },
);
