import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ENV } from '../../functions/environment.ts';
import { DEFAULT_LEASE } from '../../functions/upkeep/lease.ts';
import { boundsFrom } from '../../local/bounds.ts';
import { SETTINGS, settingsText, withOptions } from '../../local/options.ts';
import { settingsFrom } from '../../local/settings.ts';

const ROOT = join(import.meta.dirname, '../..');
const LOCAL = join(ROOT, 'local');

/** Read where keys are rotated or the stream host is woken, which no Node host does, and where Lambda finds the page. */
const OF_LAMBDA: readonly string[] = [
  ENV.pageFolder,
  ENV.frontStore,
  ENV.frontStoreEndpoint,
  ENV.ec2Endpoint,
];

const listed = SETTINGS.map(({ variable }) => variable);
const textsIn = (folder: string) =>
  readdirSync(folder)
    .filter((name) => /\.(?:ts|mjs)$/.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8'));

it('lists every variable that a Node host reads, and no other', () => {
  const named = textsIn(LOCAL).flatMap((text) => text.match(/\bSTOWAGE_[A-Z_]*[A-Z]\b/g) ?? []);
  const shared = Object.values(ENV).filter((name) => !OF_LAMBDA.includes(name));
  expect([...new Set(listed)].sort()).toEqual([...new Set([...named, ...shared])].sort());
  expect(new Set(listed).size).toBe(listed.length);
});

it('names an option as its variable', () => {
  for (const { option, variable } of SETTINGS) {
    if (option === undefined) continue;
    expect(variable).toBe(`STOWAGE_${option.toUpperCase().replaceAll('-', '_')}`);
  }
});

it('tells the defaults that count', () => {
  const { host, port, bounds } = settingsFrom({});
  const seconds = (milliseconds: number) => `${milliseconds / 1000}`;
  const counting = boundsFrom({});
  expect(bounds).toEqual(counting);
  const expected = {
    STOWAGE_PORT: `${port}`,
    STOWAGE_HOST: host,
    STOWAGE_EPOCH_SECONDS: seconds(DEFAULT_LEASE.epochMs),
    STOWAGE_QUARANTINE_SECONDS: seconds(DEFAULT_LEASE.quarantineMs),
    STOWAGE_MAX_CONNECTIONS: `${bounds.connections}`,
    STOWAGE_MAX_CONNECTIONS_PER_ADDRESS: `${bounds.connectionsPerAddress}`,
    STOWAGE_MAX_REQUESTS: `${bounds.requests}`,
    STOWAGE_MAX_REQUESTS_PER_ADDRESS: `${bounds.requestsPerAddress}`,
    STOWAGE_WAIT_SECONDS: seconds(bounds.waitMs),
    STOWAGE_HEADER_SECONDS: seconds(bounds.headMs),
    STOWAGE_FORM_SECONDS: seconds(bounds.formMs),
    STOWAGE_SLOW_SECONDS: seconds(bounds.paceMs),
    STOWAGE_STOP_SECONDS: seconds(bounds.stopMs),
  };
  const told = SETTINGS.filter(({ variable }) => variable in expected);
  expect(Object.fromEntries(told.map(({ variable, default: usual }) => [variable, usual]))).toEqual(expected);
});

it('has options win over variables', () => {
  const environment = { STOWAGE_PORT: '1', STOWAGE_HOST: '::1' };
  expect(withOptions(['--port', '2', '--open'], environment)).toEqual({
    ...{ STOWAGE_PORT: '2', STOWAGE_HOST: '::1', STOWAGE_OPEN: '1' },
  });
  expect(withOptions([], environment)).toEqual(environment);
  for (const words of [['--prot', '1'], ['word'], ['--port'], ['--open=no']])
    expect(() => withOptions(words, {})).toThrow();
});

it('is what --help shows, of "stowage serve" and of what npm start runs', () => {
  const help = (...words: string[]) => spawnSync(process.execPath, words, { encoding: 'utf8' }).stdout;
  const texts = [
    help(join(ROOT, 'cli/main.ts'), 'serve', '--help'),
    help(join(LOCAL, 'start.mjs'), '--help'),
  ];
  expect(texts[1]).toBe(settingsText());
  for (const text of texts) {
    for (const { variable, option = '', what, default: usual } of SETTINGS) {
      for (const part of [variable, option, what, usual])
        expect(text.replaceAll(/\s+/g, ' ')).toContain(part);
    }
  }
});

it('refuses an option that there is none of, with exit code 2', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(LOCAL, 'start.mjs'), '--prot', '1'], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining("'--prot'") });
});
