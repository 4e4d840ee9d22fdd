import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { RegistryProcess } from '../registry-process.ts';
import { barriers, hasBrowser, launch, openTab, WITHOUT } from './browser.ts';
import { Pusher } from './pusher.ts';
import { ADMIN, furnish, logIn, release, startRegistry } from './world.ts';

let folder: string;
let registry: RegistryProcess;
let browser: Browser;
let session: NonNullable<BrowserContextOptions['storageState']>;

beforeAll(async () => {
  if (!hasBrowser) return;
  folder = await mkdtemp(join(tmpdir(), 'stowage-ui-'));
  [registry, browser] = await Promise.all([startRegistry(folder), launch()]);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await registry?.stop('SIGTERM');
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** A tab; whatever goes wrong in it unseen fails the test at its end. */
async function tab(options: BrowserContextOptions = {}): Promise<Page> {
  const { page, wrongs } = await openTab(browser, registry.url, options);
  onTestFinished(async () => {
    await page.context().close();
    expect(wrongs).toEqual([]);
  });
  return page;
}

const asAdmin = (options: BrowserContextOptions = {}) => tab({ storageState: session, ...options });

/** The management API, as the page calls it. */
async function api(page: Page, line: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  return page.evaluate(
    async ([line, body]) => {
      const [method = '', path = ''] = (line as string).split(' ');
      const response = await fetch(`/api/v1${path}`, {
        method,
        headers: { 'Content-Type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json().catch(() => undefined) };
    },
    [line, body],
  );
}

const row = (page: Page, tag: string) => page.getByRole('row', { name: new RegExp(`^Select ${tag} `) });

describe.runIf(hasBrowser)(`the page${WITHOUT}`, { timeout: 120_000 }, () => {
  it('leads a newcomer from the login to the first image, which it sees come', async () => {
    const page = await tab();
    await page.goto('/');
    await page.getByLabel('User name').fill(ADMIN.username);
    await page.getByLabel('Password').fill('not the password');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('incorrect user name or password').waitFor();
    await logIn(page);
    session = await page.context().storageState();
    await page.getByText(`docker login ${new URL(registry.url).host} -u admin`).waitFor();
    await page.getByText('Waiting for it').waitFor();
    await (await Pusher.to(registry.url, 'alpine', ADMIN)).push('latest', release('alpine'));
    await page.getByText('There it is:').waitFor();
    await page.getByRole('link', { name: 'alpine' }).first().click();
    await row(page, 'latest').waitFor();
    await furnish(registry.url, ADMIN);
  });

  it('lists repositories as a tree, which a filter in the address narrows', async () => {
    const page = await asAdmin();
    await page.goto('/');
    await page.locator('summary').getByText('team-a').waitFor();
    await page.getByRole('searchbox').fill('base');
    await page.getByRole('status').getByText('1 repository').waitFor();
    expect(new URL(page.url()).search).toBe('?q=base');
    await page.reload();
    await page.getByRole('link', { name: 'team-b/base' }).waitFor();
    expect(await page.getByRole('link', { name: 'team-a/app' }).count()).toBe(0);
  });

  it('orders tags by their versions, and by size', async () => {
    const page = await asAdmin();
    await page.goto('/r/team-a/app');
    await row(page, 'v2.0.0').getByText('amd64 arm64').waitFor();
    const tags = () => page.locator('.body .name a').allInnerTexts();
    expect(await tags()).toEqual(['v2.0.0', 'v1.10.0', 'v1.9.0', 'v1.0.0', 'pr-881', 'latest']);
    await page.getByRole('button', { name: 'Pushed' }).click();
    await expect.poll(async () => (await tags())[0]).toBe('v2.0.0'); // the last one
    await page.getByRole('button', { name: 'Size' }).click();
    await expect.poll(async () => (await tags())[0]).toBe('v2.0.0'); // for two platforms
    expect(new URL(page.url()).searchParams.get('sort')).toBe('size');
    await page.getByRole('searchbox').fill('v1.*');
    await page.getByText('3 of 6 tags').waitFor();
  });

  it('finds a tag by keys alone, and copies what pulls it', async () => {
    const page = await asAdmin({ permissions: ['clipboard-read', 'clipboard-write'] });
    await page.goto('/');
    await page.getByRole('heading', { name: 'Repositories' }).waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('team-a/app:v1.10.0');
    await page.getByRole('option', { name: 'team-a/app:v1.10.0' }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL('/r/team-a/app:v1.10.0');
    await page.getByText('docker pull').waitFor();
    await page.keyboard.press('c');
    await page.getByText('Copied').waitFor();
    const copied = await page.evaluate<string>('navigator.clipboard.readText()');
    expect(copied).toBe(`docker pull ${new URL(registry.url).host}/team-a/app:v1.10.0`);
  });

  it('shows of an image its layers with their lines, what it starts, and what looks like a secret; nothing of it runs', async () => {
    const page = await asAdmin();
    await page.goto('/r/team-a/app:v1.9.0');
    await page.getByText('RUN apk add --no-cache nodejs').waitFor();
    await page.getByText('["/usr/bin/tini","--"]').waitFor();
    await page.getByText('looks like a secret').waitFor();
    await page.getByText('<img src=x onerror="window.broken=1">').waitFor();
    await page.getByRole('link', { name: 'https://example.com/team-a/app' }).waitFor();
    expect(await page.locator('a[href^="javascript:"]').count()).toBe(0);
    expect(await page.evaluate<boolean>("'broken' in window")).toBe(false);
  });

  it('shows each platform of an index', async () => {
    const page = await asAdmin();
    await page.goto('/r/team-a/app:v2.0.0');
    await page.getByRole('button', { name: 'linux/arm64' }).click();
    await page.getByText('linux/arm64', { exact: true }).waitFor();
    expect(new URL(page.url()).searchParams.get('platform')).toBe('linux/arm64');
  });

  it('records no pull of what is looked at', async () => {
    const page = await asAdmin();
    await page.goto('/r/team-a/app:v1.0.0');
    await page.getByText('COPY dist /app').waitFor();
    const { body } = await api(page, 'POST /repositories/team-a/app/-/tags/query', { names: ['v1.0.0'] });
    expect(body).toMatchObject({ tags: [{ name: 'v1.0.0' }] });
    expect(JSON.stringify(body)).not.toContain('pulledAt');
  });

  it('compares two tags that were chosen by keys alone', async () => {
    const page = await asAdmin();
    await page.goto('/r/team-a/app?q=v1.*');
    await row(page, 'v1.9.0').waitFor();
    for (const key of ['x', 'j', 'x']) await page.keyboard.press(key);
    await page.getByText('2 selected').waitFor();
    await page.keyboard.press('=');
    await page.getByText('2 layers are the same').waitFor();
    await page.getByText('same line, other content').waitFor();
    await page.getByRole('cell', { name: 'v1.10.0' }).waitFor();
  });

  it('puts a tag back where it was, after it has said what moves', async () => {
    const page = await asAdmin();
    await page.goto('/r/team-a/app:latest');
    await page.getByRole('link', { name: 'History' }).click();
    await page.getByRole('button', { name: 'Roll back to this' }).click();
    const dialog = page.getByRole('dialog', { name: 'Put latest back?' });
    await dialog.getByText('No image is deleted').waitFor();
    await dialog.getByRole('button', { name: 'Roll back to this' }).click();
    await page.getByText('latest is back on it.').waitFor();
    await page.goto('/r/team-a/app:latest');
    await page.getByRole('link', { name: 'v1.9.0' }).waitFor(); // which is on the same image now
  });

  it('deletes many only after a preview and their number, and brings them back', async () => {
    const page = await asAdmin();
    await page.goto('/r/team-a/app');
    await page.getByRole('checkbox', { name: 'Select pr-881' }).click();
    await page.getByRole('checkbox', { name: 'Select v1.9.0' }).click();
    await page.getByRole('button', { name: 'Delete…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete 2 tags' });
    await dialog.getByText('also on it are latest').waitFor();
    expect(await dialog.getByRole('button', { name: 'Delete', exact: true }).isDisabled()).toBe(true);
    await dialog.getByLabel('Type 2 to delete').fill('2');
    await page.keyboard.press('Enter');
    await page.getByText('2 tags deleted.').waitFor();
    await row(page, 'pr-881').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('2 tags are back.').waitFor();
    await row(page, 'pr-881').waitFor();
  });

  it('says of each tag what retention does with it, and why', async () => {
    const page = await asAdmin();
    await page.goto('/r/team-a/app');
    const policy = {
      repositories: ['team-a/*'],
      retention: {
        tags: [
          { match: ['v*'], keepLast: 10 },
          { match: ['pr-*'], keepNone: true },
        ],
      },
    };
    expect((await api(page, 'PUT /policies/team-a', policy)).status).toBeLessThan(300);
    await page.getByRole('button', { name: 'Show what retention does' }).click();
    await row(page, 'pr-881').getByText('goes with the next sweep').waitFor();
    await row(page, 'v1.10.0').getByText('● stays').waitFor();
  });

  it('lists what has no tag', async () => {
    const page = await asAdmin();
    await page.goto('/r/team-a/app/-/untagged');
    await page.getByText('Part of').first().waitFor();
  });

  it('shows a stranger what is public, and says of all else what it would of nothing', async () => {
    const admin = await asAdmin();
    await admin.goto('/');
    await api(admin, 'PATCH /repositories/alpine', { visibility: 'public' });
    const page = await tab();
    await page.goto('/');
    await page.getByRole('link', { name: 'alpine' }).click();
    await row(page, 'latest').waitFor();
    const texts: string[] = [];
    for (const path of ['/r/team-a/app', '/r/no/such']) {
      await page.goto(path);
      await page.getByText('or you may not see it').waitFor();
      texts.push(await page.locator('main').innerText());
    }
    expect(texts[0]).toBe(texts[1]);
  });

  it('asks for another login over the page where a session ends, and goes on where it was', async () => {
    const page = await tab();
    await logIn(page);
    await page.goto('/r/team-a/app');
    await row(page, 'v1.9.0').waitFor();
    await page.context().clearCookies();
    await page.getByRole('link', { name: 'v1.9.0' }).click();
    const dialog = page.getByRole('dialog', { name: 'Log in' });
    await dialog.getByLabel('User name').fill(ADMIN.username);
    await dialog.getByLabel('Password').fill(ADMIN.password);
    await page.keyboard.press('Enter');
    await page.getByText('RUN apk add --no-cache nodejs').waitFor();
    expect(new URL(page.url()).pathname).toBe('/r/team-a/app:v1.9.0');
  });

  it.each(['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)'])(
    'goes from the login to no place but its own: %s',
    async (next) => {
      const page = await tab();
      await page.goto(`/login?next=${encodeURIComponent(next)}`);
      await page.getByLabel('User name').fill(ADMIN.username);
      await page.getByLabel('Password').fill(ADMIN.password);
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: 'team-b/base' }).waitFor();
      expect(page.url()).toBe(`${registry.url}/`);
    },
  );

  it('keeps its rows few where the tags are many, and jumps to their end', async () => {
    const many = await Pusher.to(registry.url, 'team-b/many', ADMIN);
    const digest = await many.push('v0.0.1', release('many'));
    await many.tagAll(
      digest,
      Array.from({ length: 600 }, (_, number) => `v1.${number}.0`),
    );
    const page = await asAdmin();
    await page.goto('/r/team-b/many');
    await row(page, 'v1.599.0').getByText('MB').waitFor();
    expect(await page.getByRole('row').count()).toBeLessThan(80);
    await page.keyboard.press('End');
    await row(page, 'v0.0.1').waitFor();
  });

  const LOOKS = [
    { title: 'light, English', options: {} },
    { title: 'dark, Chinese', options: { colorScheme: 'dark', locale: 'zh-CN' } },
    { title: 'a phone', options: { viewport: { width: 360, height: 740 } } },
  ] as const;
  const PLACES = [
    '/',
    '/r/team-a/app',
    '/r/team-a/app:v2.0.0',
    '/r/team-a/app/-/compare?a=v1.9.0&b=v1.10.0',
    '/r/team-a/app/-/untagged',
    '/r/team-a/app/-/history?tag=latest',
    '/me',
    '/r/no/such',
  ];

  it.each(LOOKS)('keeps nobody out: $title', async ({ options }) => {
    const page = await asAdmin({ ...options, bypassCSP: true });
    const found: string[] = [];
    for (const place of [...PLACES, '/login']) {
      await page.goto(place);
      await page.locator('main h1').waitFor();
      await page.waitForLoadState('networkidle');
      for (const one of await barriers(page)) found.push(`${place} ${one}`);
      const isWide = await page.evaluate<boolean>('document.documentElement.scrollWidth > window.innerWidth');
      if (isWide) found.push(`${place} scrolls sideways`);
    }
    expect(found).toEqual([]);
  });

  it('says that a page cannot be loaded while the registry is away, and loads it when it is back', async () => {
    const { page } = await openTab(browser, registry.url, { storageState: session });
    onTestFinished(() => page.context().close());
    await page.goto('/r/team-a/app');
    await row(page, 'latest').waitFor();
    await page.context().setOffline(true);
    await page.getByRole('link', { name: 'Untagged' }).click();
    await page.getByRole('alert').getByText('The registry cannot be reached').waitFor();
    await page.context().setOffline(false);
    await page.getByRole('button', { name: 'Try again' }).click();
    await row(page, 'latest').waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'Untagged' }).waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it("says in the reader's language that a login is wrong, and lets a stranger log in at the account", async () => {
    const page = await tab({ locale: 'zh-CN' });
    await page.goto('/me');
    await page.locator('main').getByRole('button', { name: '登录' }).click();
    await page.getByLabel('用户名').fill(ADMIN.username);
    await page.getByLabel('密码').fill('not the password');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('用户名或密码不正确').waitFor();
  });

  it('keeps no stranger out of the login that an empty list is', async () => {
    const admin = await asAdmin();
    await admin.goto('/');
    await api(admin, 'PATCH /repositories/alpine', { visibility: 'private' });
    const page = await tab({ bypassCSP: true });
    await page.goto('/');
    await page.getByLabel('User name').waitFor();
    expect(await barriers(page)).toEqual([]);
  });

  it('keeps nobody out of its dialogs', async () => {
    const page = await asAdmin({ bypassCSP: true });
    await page.goto('/r/team-a/app');
    await row(page, 'v1.9.0').waitFor();
    await page.keyboard.press('x');
    await page.getByRole('button', { name: 'Delete…' }).click();
    await page.getByLabel('Type 1 to delete').waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'A repository' }).waitFor();
    expect(await barriers(page)).toEqual([]);
  });
});
