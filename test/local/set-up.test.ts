import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { portTaken } from '../../local/port-taken.ts';
import { scratch } from '../scratch.ts';

const LOCAL = join(import.meta.dirname, '../../local');

const one = { version: '1.0.0', integrity: 'sha512-a' };
const WANTED = {
  '': {},
  'node_modules/one': one,
  'node_modules/tool': { ...one, dev: true },
  'node_modules/elsewhere': { ...one, optional: true },
};
const INSTALLED = { 'node_modules/one': one };

/** A checkout with these packages installed, none where there are none, and an npm that installs `now`, or fails. */
async function checkout(installed: object | undefined, now?: object) {
  const root = await scratch();
  mkdirSync(join(root, 'local'));
  for (const name of ['set-up.mjs', 'own-node.mjs']) cpSync(join(LOCAL, name), join(root, 'local', name));
  const write = (name: string, packages: object) =>
    writeFileSync(join(root, name), JSON.stringify({ packages }));
  if (installed) {
    mkdirSync(join(root, 'node_modules/one'), { recursive: true });
    write('node_modules/.package-lock.json', installed);
  }
  write('package-lock.json', WANTED);
  const bin = join(root, 'bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  if (now !== undefined) {
    // As npm does: away with what is there, before anything is asked for.
    const script = [
      '#!/bin/sh',
      'echo "npm $*" >>asked; /bin/rm -rf node_modules',
      ...('fails' in now
        ? ['exit 1']
        : [
            `/bin/mkdir -p node_modules/one; echo '${JSON.stringify({ packages: now })}' >node_modules/.package-lock.json`,
          ]),
    ];
    writeFileSync(join(bin, 'npm'), `${script.join('\n')}\n`);
    chmodSync(join(bin, 'npm'), 0o755);
  }
  const run = () => {
    const { status, stderr } = spawnSync(join(bin, 'node'), ['local/set-up.mjs', '--omit=dev'], {
      cwd: root,
      env: { PATH: bin },
      encoding: 'utf8',
    });
    return { status, stderr };
  };
  const asked = () => (existsSync(join(root, 'asked')) ? readFileSync(join(root, 'asked'), 'utf8') : '');
  return { root, run, asked };
}

it('installs where nothing is installed, and not again', async () => {
  const { run, asked } = await checkout(undefined, INSTALLED);
  expect(run()).toMatchObject({ status: 0, stderr: 'stowage: installing packages, once\n' });
  expect(run()).toEqual({ status: 0, stderr: '' });
  expect(asked()).toBe('npm ci --loglevel=error --omit=dev\n');
});

it('installs nothing where what is there is what is wanted, however old a copy of it says that it is', async () => {
  const { root, run, asked } = await checkout(INSTALLED, INSTALLED);
  writeFileSync(join(root, 'package-lock.json'), readFileSync(join(root, 'package-lock.json'))); // newer by its time
  expect(run()).toEqual({ status: 0, stderr: '' });
  expect(asked()).toBe('');
});

it.each([
  ['a package of another version', { 'node_modules/one': { ...one, version: '0.9.0' } }],
  ['a package of other bytes', { 'node_modules/one': { ...one, integrity: 'sha512-b' } }],
  [
    'an optional package of another version',
    { ...INSTALLED, 'node_modules/elsewhere': { ...one, version: '2.0.0' } },
  ],
  ['a package less', {}],
])('installs where %s is there', async (_, installed) => {
  const { run, asked } = await checkout(installed, INSTALLED);
  expect(run().status).toBe(0);
  expect(asked()).toContain('npm ci');
});

it('keeps what is there where npm fails, and says so', async () => {
  const { root, run } = await checkout({}, { fails: true });
  expect(run()).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('npm ci has failed; the packages of before are kept'),
  });
  expect(existsSync(join(root, 'node_modules/one'))).toBe(true);
  expect(existsSync(join(root, 'node_modules.before'))).toBe(false);
});

it('says that there is no npm, and what to do without one', async () => {
  const { run } = await checkout(undefined);
  expect(run()).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/npm cannot be run \(ENOENT\); there are no packages.*copy the folder/s),
  });
});

it('says on Windows where it runs, and on a Mac who may have its port', async () => {
  const windows = 'data:text/javascript,Object.defineProperty(process,"platform",{value:"win32"})';
  for (const program of ['start.mjs', 'set-up.mjs']) {
    const { status, stderr } = spawnSync(process.execPath, ['--import', windows, join(LOCAL, program)], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([1, expect.stringContaining('run it in WSL')]);
  }
  expect(portTaken(5000, 'darwin')).toContain('AirPlay Receiver');
  for (const other of [portTaken(5001, 'darwin'), portTaken(5000, 'linux')])
    expect(other).not.toContain('AirPlay');
});
