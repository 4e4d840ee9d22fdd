import { existsSync } from 'node:fs';
import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Debian's, or whatever CHROMIUM names. */
const CHROMIUM = process.env['CHROMIUM'] || '/usr/bin/chromium';

/** Whether there is a browser to test with; in CI there has to be. */
export const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser && process.env['STOWAGE_REQUIRE_CLIENTS'] === 'all')
  throw new Error(`no Chromium at ${CHROMIUM}; apt-get install chromium, or name one in CHROMIUM`);

/** For the titles of tests that are skipped. */
export const WITHOUT = hasBrowser ? '' : ` (skipped: no Chromium at ${CHROMIUM})`;

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });

/** A page, and what went wrong in it that nobody sees: violations of its policy, errors, answers that failed by its fault. */
export interface Watched {
  readonly page: Page;
  readonly wrongs: readonly string[];
}

export async function openTab(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ baseURL: url, locale: 'en-US', ...options });
  const page = await context.newPage();
  const wrongs: string[] = [];
  page.on('console', (message) => {
    const text = message.text();
    // What the browser says of each answer above 399; which of these are wrong, the tests say.
    if (message.type() === 'error' && !text.startsWith('Failed to load resource')) wrongs.push(text);
  });
  page.on('pageerror', (error) => wrongs.push(String(error)));
  page.on('response', (response) => {
    if (response.status() >= 500) wrongs.push(`${response.status()} ${response.url()}`);
  });
  return { page, wrongs };
}

/** What it is asked, in the page: WCAG 2.2 AA, and what is good practice. */
const ASK = `axe.run(document, {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
})`;

interface Found {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

/** What keeps somebody from using the page, each with the first place. The page must let scripts of others run. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<Found>(ASK);
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`);
}
