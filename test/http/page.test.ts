import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../functions/app.ts';
import { openPage } from '../../functions/ui/page.ts';
import { type BuiltPage, builtPage } from '../../ui/build.ts';
import { openFixture } from '../registry/fixture.ts';

/** Ours: what a slow line takes for the first page, and for each piece that is loaded later. */
const MAX_FIRST_BYTES = 110_000;
const MAX_LAZY_BYTES = 40_000;

const HTML = { accept: 'text/html,application/xhtml+xml', host: 'localhost' };

let folder: string;
let built: BuiltPage;
let withPage: App;
let without: App;

beforeAll(() => {
  folder = builtPage();
  built = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
});

beforeEach(async () => {
  const { registry } = await openFixture();
  withPage = createApp({ registry, page: openPage(folder) });
  without = createApp({ registry });
});

const get = (path: string, headers: Readonly<Record<string, string>> = HTML, method = 'GET') =>
  withPage(new Request(`http://localhost${path}`, { method, headers }));

/** All that a client sees of an answer. */
const seen = async (response: Response) => ({
  status: response.status,
  headers: Object.fromEntries(response.headers),
  body: await response.text(),
});

describe('the page', () => {
  it.each(['/', '/login', '/me', '/r/team/app', '/r/team/app:v1', '/r/team/app/-/untagged'])(
    'is what a browser gets at %s, under a policy that lets nothing else run',
    async (path) => {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(response.headers.get('cache-control')).toBe('no-store');
      const policy = response.headers.get('content-security-policy') ?? '';
      expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; /);
      expect(policy).toContain("require-trusted-types-for 'script'; trusted-types 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect(await response.text()).toContain(
        `<script type="module" src="/assets/${built.script}"></script>`,
      );
    },
  );

  it('says nothing of what the address names', async () => {
    const [one, other] = [await get('/r/a:<script>'), await get('/')];
    expect(await one.text()).toBe(await other.text());
  });

  it.each([
    ['GET', '/', 'application/json'],
    ['GET', '/', '*/*'],
    ['POST', '/', 'text/html'],
    ['GET', '/nothing', 'text/html'],
    ['GET', '/assets/nothing-ABCDEFGH.js', 'text/html'],
    ['GET', '/assets/..%2fmanifest.json', 'text/html'],
    ['GET', '/assets/manifest.json', 'text/html'],
    ['GET', '/v2/', 'text/html'],
    ['GET', '/v2/team/app/manifests/v1', 'text/html'],
    ['GET', '/token', 'text/html'],
    ['GET', '/api/v1/me', 'text/html'],
    ['GET', '/healthz', 'text/html'],
  ])('changes no answer of the registry: %s %s, accepting %s', async (method, path, accept) => {
    const request = () =>
      new Request(`http://localhost${path}`, { method, headers: { accept, host: 'localhost' } });
    expect(await seen(await withPage(request()))).toEqual(await seen(await without(request())));
  });

  it('is opened by a link of another site, but not under the name of another host', async () => {
    expect((await get('/', { ...HTML, 'sec-fetch-site': 'cross-site' })).status).toBe(200);
    expect((await get('/', { ...HTML, host: 'evil.example' })).status).toBe(403);
  });

  it('answers HEAD as GET, without the body', async () => {
    const [head, whole] = [await get('/', HTML, 'HEAD'), await get('/')];
    expect(head.headers.get('content-length')).toBe(`${(await whole.arrayBuffer()).byteLength}`);
    expect(await head.text()).toBe('');
  });
});

describe('its assets', () => {
  it('are kept for ever, and are sent compressed to whoever takes that', async () => {
    const plain = await get(`/assets/${built.script}`);
    const packed = await get(`/assets/${built.script}`, { ...HTML, 'accept-encoding': 'gzip, br' });
    expect(plain.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(packed.headers.get('content-encoding')).toBe('br');
    const sizes = [plain, packed].map(async (response) => (await response.arrayBuffer()).byteLength);
    expect(await sizes[1]).toBeLessThan(((await sizes[0]) ?? 0) / 2);
  });

  it('stay within what a slow line takes', () => {
    expect(built.first).toBeLessThan(MAX_FIRST_BYTES);
    for (const bytes of Object.values(built.lazy)) expect(bytes).toBeLessThan(MAX_LAZY_BYTES);
    expect(Object.keys(built.lazy).length).toBeGreaterThan(3);
  });

  it('are the same bytes with each build', () => {
    const again = builtPage(mkdtempSync(join(tmpdir(), 'stowage-page-')));
    for (const name of [built.script, built.style, `${built.script}.br`, 'manifest.json'])
      expect(readFileSync(join(again, name)).equals(readFileSync(join(folder, name)))).toBe(true);
  });
});

it('a folder without a page is no page', () => {
  expect(openPage(mkdtempSync(join(tmpdir(), 'stowage-page-')))).toBeUndefined();
});
