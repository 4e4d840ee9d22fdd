import { afterAll, beforeAll, expect, it } from 'vitest';
import { scratch } from '../scratch.ts';
import { type Host, Stowage, startHost } from './program.ts';

let host: Host;

beforeAll(async () => {
  host = await startHost();
});
afterAll(() => host.stop());

/** The command line in an environment, of a home in which an admin is logged in. */
async function asSavedAdminWith(environment: Readonly<Record<string, string>>): Promise<Stowage> {
  const home = await scratch();
  await new Stowage(home).print(`login ${host.registry.url} -u admin --password-stdin`, host.password);
  return new Stowage(home, environment);
}

const USERNAME = { STOWAGE_USERNAME: 'robot/ci' };
const TOKEN = { STOWAGE_TOKEN: 'a-secret' };

it.each([
  ['a name without a secret', USERNAME, 'STOWAGE_USERNAME is set, and STOWAGE_TOKEN is missing'],
  ['a secret without a name', TOKEN, 'STOWAGE_TOKEN is set, and STOWAGE_USERNAME is missing'],
  ['an empty secret', { ...USERNAME, STOWAGE_TOKEN: '' }, 'STOWAGE_TOKEN is set but empty'],
  ['a secret of white space', { ...USERNAME, STOWAGE_TOKEN: ' \n' }, 'STOWAGE_TOKEN is set but empty'],
  ['an empty name', { ...TOKEN, STOWAGE_USERNAME: '' }, 'STOWAGE_USERNAME is set but empty'],
  ['a name of white space', { ...TOKEN, STOWAGE_USERNAME: '\t' }, 'STOWAGE_USERNAME is set but empty'],
  ['both empty', { STOWAGE_USERNAME: '', STOWAGE_TOKEN: '' }, 'STOWAGE_USERNAME is set but empty'],
  [
    'a line break after the secret',
    { ...USERNAME, STOWAGE_TOKEN: 'a\n' },
    'STOWAGE_TOKEN begins or ends with',
  ],
  ['an empty registry', { ...USERNAME, ...TOKEN, STOWAGE_REGISTRY: '' }, 'STOWAGE_REGISTRY is set but empty'],
])('never falls back to the saved login where the environment has %s', async (_, environment, why) => {
  const stowage = await asSavedAdminWith(environment);
  const push = `push package.json 127.0.0.1:${host.registry.port}/team/app:v1`;
  for (const command of ['whoami', 'repo delete team/app --yes', push]) {
    expect(await stowage.run(command)).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(new RegExp(`^stowage: ${why}.*\n$`)),
    });
  }
});

it('uses the saved login where the environment has none', async () => {
  const stowage = await asSavedAdminWith({});
  expect(await stowage.json('whoami')).toMatchObject({ principal: 'user:admin' });
});
