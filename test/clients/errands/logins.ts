import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Accounts } from '../accounts.ts';
import { inheritedEnvironment, run } from '../command.ts';
import { whyAbsent } from '../go-tools.ts';
import { expectRefusal } from '../identity.ts';
import { NAME } from '../named-registry.ts';
import { PageDaemons } from '../page/page-daemons.ts';
import { type Credentials, expectEqual } from '../registry.ts';
import type { Errand, ErrandOptions } from './errand.ts';

/** Jobs that begin at the same time, of one user. */
const LOGINS = 200;

/** Of these, so many by docker itself. */
const BY_DOCKER = 10;

const WRONG_ROBOTS = 100;

/** Docker of today tries plain HTTP next, since the address is one of this machine, and tells of that alone. */
const WRONG = 'incorrect user name or password';

/** Crowds that do nothing wrong, and one that does, behind one address. */
export const logins: Errand = { name: 'logins', run: logInAll };

async function logInAll(options: ErrandOptions): Promise<void> {
  const { report, named } = options;
  const accounts = new Accounts(named.registry);
  const grants = [{ pattern: 'team-a/*', actions: ['pull'] }];
  const user = await accounts.createUser('jobs', grants);
  const robot = await accounts.createRobot('jobs', grants);
  const asDocker = (credentials: Credentials) => tokenStatus(named.registry.url, credentials);
  await report.check('logins', `${LOGINS} at once with one right password`, async () => {
    await expectAll(
      Array.from({ length: LOGINS }, () => asDocker(user)),
      200,
    );
  });
  await report.check('logins', `${WRONG_ROBOTS} wrong robots are refused, and keep nobody out`, async () => {
    const wrong = Array.from({ length: WRONG_ROBOTS }, (_, at) => {
      const username = at % 2 === 0 ? robot.username : `robot/unknown-${at}`;
      return asDocker({ username, password: `${robot.password.slice(0, -4)}${1000 + at}` });
    });
    await expectAll(wrong, 401);
    await expectAll([robot, user].map(asDocker), 200);
  });
  await logInByDocker(options, { user, robot });
}

async function logInByDocker(
  { report, named, path, tools, directory, isRequired, isModern }: ErrandOptions,
  { user, robot }: Record<'user' | 'robot', Credentials>,
): Promise<void> {
  const absent = await whyAbsent(['docker', 'dockerd'], path, tools);
  if (absent !== undefined && isRequired('docker')) return report.fail('logins', 'by docker', absent);
  if (absent !== undefined) return report.skip('logins', 'by docker', absent);
  await mkdir(directory);
  const daemons = new PageDaemons(named, directory, path);
  try {
    const socket = await daemons.started('docker');
    let made = 0;
    const login = ({ username, password }: Credentials) => {
      made += 1;
      const places = {
        PATH: path,
        HOME: directory,
        XDG_CACHE_HOME: directory,
        DOCKER_CONFIG: join(directory, `config-${made}`),
      };
      const env = { ...inheritedEnvironment(), ...named.trust, ...socket, ...places };
      const command = named.within('docker', ['login', NAME, '--username', username, '--password-stdin']);
      return run(command.program, command.args, { env, input: password });
    };
    await report.check('logins', `${BY_DOCKER} at once by docker, of a user and of a robot`, () =>
      Promise.all(Array.from({ length: BY_DOCKER }, (_, at) => login(at % 2 === 0 ? user : robot))),
    );
    await report.check('logins', 'a wrong robot is told so by docker, and the right one let in', async () => {
      const wrong = { ...robot, password: `${robot.password}x` };
      await expectRefusal(() => login(wrong), isModern ? /connection refused/ : WRONG);
      await login(robot);
    });
  } finally {
    await daemons.stop();
  }
}

/** What the registry answers to the request that `docker login` makes. */
async function tokenStatus(url: string, { username, password }: Credentials): Promise<number> {
  const query = new URLSearchParams({
    account: username,
    client_id: 'docker',
    offline_token: 'true',
    service: 'stowage',
  });
  const basic = Buffer.from(`${username}:${password}`).toString('base64');
  const response = await fetch(`${url}/token?${query}`, { headers: { Authorization: `Basic ${basic}` } });
  await response.arrayBuffer();
  return response.status;
}

async function expectAll(statuses: ReadonlyArray<Promise<number>>, status: number): Promise<void> {
  const others = (await Promise.all(statuses)).filter((each) => each !== status);
  expectEqual(`answers other than ${status}`, others, []);
}
