import { mkdtempSync } from 'node:fs';
import { launch, openTab, barriers } from './browser.ts';
import { startRegistry, furnish, logIn, ADMIN } from './world.ts';
const folder = mkdtempSync('/tmp/ui-try-');
const registry = await startRegistry(folder);
try {
  await furnish(registry.url, ADMIN);
  const browser = await launch();
  const { page, wrongs } = await openTab(browser, registry.url, { bypassCSP: false });
  page.setDefaultTimeout(15000);
  page.on('response', (r) => { if (r.status() >= 400) console.log(r.status(), r.request().method(), r.url()); });
  try {
    await logIn(page);
    let n = 0; const shot = async (name: string) => { await page.screenshot({ path: `/tmp/ui-shots/${++n}-${name}.png` }); console.log(name, page.url()); };
    await page.getByRole('link', { name: 'team-a/app' }).waitFor(); await shot('home');
    await page.goto('/r/team-a/app'); await page.getByRole('link', { name: 'v1.10.0' }).waitFor(); await page.waitForTimeout(500); await shot('tags');
    await page.goto('/r/team-a/app:v1.10.0'); await page.getByText('Layers').waitFor();await page.waitForTimeout(500); await shot('image');
    await page.goto('/r/team-a/app:v2.0.0'); await page.getByText('Layers').waitFor();await page.waitForTimeout(500); await shot('index');
    await page.goto('/r/team-a/app/-/compare?a=v1.9.0&b=v1.10.0'); await page.waitForTimeout(1500); await shot('compare');
    await page.goto('/r/team-a/app/-/untagged'); await page.waitForTimeout(1500); await shot('untagged');
    await page.goto('/r/team-a/app/-/history?tag=latest'); await page.waitForTimeout(1500); await shot('history');
    await page.goto('/me'); await page.waitForTimeout(1000); await shot('me');
  } catch (e) { console.log(e); await page.screenshot({ path: '/tmp/ui-shots/error.png' }); }
  console.log('wrongs', wrongs);
  await browser.close();
} finally { await registry.stop('SIGTERM'); }
