import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { launch, openTab } from './browser.ts';
import { ADMIN, furnish, logIn, startRegistry } from './world.ts';

const FOLDER = join(import.meta.dirname, '../../docs/screenshots');

/** Each picture, what it is of, and what has come when it is whole. */
const PICTURES: readonly { readonly name: string; readonly path: string; readonly until: string }[] = [
  { name: 'tags', path: '/r/team-a/app', until: 'amd64 arm64' },
  { name: 'image', path: '/r/team-a/app:v1.10.0', until: 'looks like a secret' },
  { name: 'compare', path: '/r/team-a/app/-/compare?a=v1.9.0&b=v1.10.0', until: 'same line, other content' },
];

/** Makes the pictures of the docs, from a registry that it fills for them. */
async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-pictures-'));
  const [registry, browser] = await Promise.all([startRegistry(folder), launch()]);
  try {
    await furnish(registry.url, ADMIN);
    await mkdir(FOLDER, { recursive: true });
    const { page } = await openTab(browser, registry.url, { viewport: { width: 1000, height: 560 } });
    await logIn(page);
    for (const picture of PICTURES) await take(page, picture);
  } finally {
    await browser.close();
    await registry.stop('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  }
}

async function take(page: Page, { name, path, until }: (typeof PICTURES)[number]): Promise<void> {
  await page.goto(path);
  await page.getByText(until).first().waitFor();
  await page.screenshot({ path: join(FOLDER, `${name}.png`) });
}

await main();
