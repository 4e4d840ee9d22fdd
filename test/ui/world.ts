import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { RegistryProcess } from '../registry-process.ts';
import { Pusher, type Recipe } from './pusher.ts';

export const ADMIN = { username: 'admin', password: 'correct horse battery staple' } as const;

/** A registry with users in `folder`, as `npm start` runs it. */
export async function startRegistry(folder: string): Promise<RegistryProcess> {
  const file = join(folder, 'password');
  await writeFile(file, ADMIN.password);
  return RegistryProcess.start(join(folder, 'data'), { STOWAGE_ADMIN_PASSWORD_FILE: file });
}

/** So many bytes that nothing can pack, the same for the same seed. */
function unpackable(seed: string, bytes: number): string {
  const blocks: string[] = [];
  for (let block = seed, size = 0; size < bytes; size += block.length) {
    block = createHash('sha512').update(block).digest().toString('latin1');
    blocks.push(block);
  }
  return blocks.join('');
}

/** One release of an application: all but the last lines are those of the one before. */
export const release = (version: string, more: Partial<Recipe> = {}): Recipe => ({
  lines: [
    ['/bin/sh -c #(nop) ADD file:alpine in / ', unpackable('alpine', 300_000)],
    ['RUN /bin/sh -c apk add --no-cache nodejs # buildkit', unpackable('node', 900_000)],
    ['ENV NODE_ENV=production'],
    ['COPY dist /app # buildkit', unpackable(version, 120_000 + 1000 * version.length)],
    ['CMD ["node", "/app/main.js"]'],
  ],
  config: {
    Entrypoint: ['/usr/bin/tini', '--'],
    Cmd: ['node', '/app/main.js'],
    User: '65532',
    WorkingDir: '/app',
    ExposedPorts: { '8080/tcp': {} },
    Env: ['NODE_ENV=production', 'DB_PASSWORD=hunter2'],
    Labels: {
      'org.opencontainers.image.source': 'https://example.com/team-a/app',
      'org.opencontainers.image.version': version,
      title: '<img src=x onerror="window.broken=1"><script>window.broken=1</script>',
      homepage: 'javascript:window.broken=1',
    },
  },
  annotations: { 'org.example.note': '"><script>window.broken=1</script>' },
  ...more,
});

/** Fills it with what teams have: releases, an image for two platforms, tags that share an image, one that moved. */
export async function furnish(url: string, login: typeof ADMIN | undefined): Promise<void> {
  const app = await Pusher.to(url, 'team-a/app', login);
  for (const version of ['v1.0.0', 'v1.9.0', 'v1.10.0']) await app.push(version, release(version));
  await app.push('latest', release('v1.9.0'));
  await app.push('latest', release('v1.10.0'));
  await app.push('pr-881', release('pr-881'));
  const platforms = ['linux/amd64', 'linux/arm64'];
  await app.pushIndex(
    'v2.0.0',
    platforms.map((platform) => release(`v2 ${platform}`, { platform })),
  );
  await (await Pusher.to(url, 'team-b/base', login)).push('3.22', release('base'));
  await (await Pusher.to(url, 'alpine', login)).push('latest', release('alpine'));
}

/** As a person does. */
export async function logIn(page: Page): Promise<void> {
  await page.goto('/login');
  await page.getByLabel('User name').fill(ADMIN.username);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForURL('/');
}
