import type { Accounts } from './accounts.ts';
import type { Client, Copy, Desk, Parcel, Session } from './client.ts';
import { CommandError } from './command.ts';
import { type Credentials, expectEqual } from './registry.ts';
import type { Report } from './report.ts';

/** Who acts in the checks of one client; nobody else has a grant in its namespace. */
export interface People {
  /** May push anywhere in the client's namespace. */
  readonly user: Credentials;
  /** The same user by a personal access token. */
  readonly token: Credentials;
  /** A robot that may push anywhere in the namespace. */
  readonly robot: Credentials;
  /** A robot that may pull from one repository, `app`. */
  readonly reader: Credentials;
}

/** Makes the people of one client, and its repository that is public, `open`. */
export async function invitePeople(accounts: Accounts, desk: Desk): Promise<People> {
  const name = desk.namespace.replaceAll('/', '-');
  const all = [{ pattern: `${desk.namespace}/*`, actions: ['push'] }];
  const user = await accounts.createUser(name, all);
  await accounts.makePublic(desk.repository('open'));
  return {
    user,
    token: await accounts.createToken(user.username),
    robot: await accounts.createRobot(`${name}-writer`, all),
    reader: await accounts.createRobot(`${name}-reader`, [
      { pattern: desk.repository('app'), actions: ['pull'] },
    ]),
  };
}

interface Visit {
  readonly client: Client;
  readonly desk: Desk;
  readonly session: Session;
  readonly people: People;
  readonly report: Report;
}

/** Every way to be let in, and to be kept out. Leaves the client without a login that is good for anything. */
export async function checkIdentity(visit: Visit): Promise<void> {
  const { client, desk, session, people, report } = visit;
  const check = (what: string, work: () => Promise<unknown>) => report.check(client.name, what, work);
  const [app, secret, open] = [desk.tinyParcel('app'), desk.tinyParcel('secret'), desk.tinyParcel('open')];
  await check('as a user, pushes and pulls', async () => {
    await session.login(people.user);
    await pushAndPull(session, app);
  });
  await check('with a token, pushes and pulls', async () => {
    await session.login(people.token);
    await pushAndPull(session, app);
  });
  await check('as a robot, pushes and pulls', async () => {
    await session.login(people.robot);
    await pushAndPull(session, secret);
    await pushAndPull(session, open);
  });
  await check('with a grant to pull, pulls', async () => {
    await session.login(people.reader);
    await pullAnew(session, app);
  });
  // Under a tag that is there with the same contents, some would send nothing.
  const another = desk.tinyParcel('app', '2.0.0');
  const lacking = (action: string, { repository }: Parcel) => {
    const words = `lacks the grant "${action}" on the repository ${repository}`;
    return client.refusedByStatus ? new RegExp(`403 Forbidden|${words}`) : words;
  };
  await check('and is told that it may not push', () =>
    expectRefusal(() => session.push(another), lacking('push', another)),
  );
  await check('and is told that it may not pull from another repository', () =>
    expectRefusal(() => session.pull(secret), lacking('pull', secret)),
  );
  await check('without a login, pulls what is public', async () => {
    await session.logout();
    await pullAnew(session, open);
  });
  await check('and nothing else', () => expectRefusal(() => session.pull(app), NOT_LET_IN));
  await check('with a wrong password, is refused', () => expectWrongPassword(visit));
}

/** How clients word a 401 that no login stands behind. */
const NOT_LET_IN = /unauthorized|log in|denied|authoriz/i;

const WRONG = 'not the right password';

async function expectWrongPassword({ client, desk, session, people }: Visit): Promise<void> {
  const { username } = people.user;
  const login = () => session.login({ username, password: WRONG });
  const words = /unauthorized|invalid username\/password|incorrect user name or password/i;
  if (!client.loginIsBlind) return void (await expectRefusal(login, words));
  await login();
  await expectRefusal(() => session.push(desk.tinyParcel('app')), words);
}

async function pushAndPull(session: Session, parcel: Parcel): Promise<void> {
  const sent = await session.push(parcel);
  const received = await pullAnew(session, parcel);
  expectEqual('digest', received.digest, sent.digest);
}

async function pullAnew(session: Session, parcel: Parcel): Promise<Copy> {
  await session.remove(parcel);
  return await session.pull(parcel);
}

/** Expects the command to fail, and to print `words`. */
export async function expectRefusal(
  work: () => Promise<unknown>,
  words: string | RegExp,
): Promise<CommandError> {
  const error = await work().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) throw new Error('it was let in');
  if (!(error instanceof CommandError)) throw error;
  const printed = error.output.replaceAll(/\\?["']/g, '"'); // each quotes quotes in its own way
  const isFound = typeof words === 'string' ? printed.includes(words) : words.test(printed);
  if (!isFound) throw new Error(`it does not print ${words}, but\n${error.output.trim()}`);
  return error;
}
