import type { Registry } from '../registry/registry.ts';
import { recordAudit } from './audit.ts';
import { ADMIN_GRANTS } from './first-admin.ts';
import { authorityOf, type Grant } from './grants.ts';
import { createGroup, findGroup } from './groups.ts';
import { verifyPassword } from './passwords.ts';
import { type Subject, subjectOf } from './principal.ts';
import { createRobot, findRobot, renewSecret } from './robots.ts';
import { isSecret, type NewSecret } from './secrets.ts';
import { grantsOf, setGrant } from './subject-grants.ts';
import { addMember, createUser, findUser, setPassword } from './users.ts';

/** Users, groups and robots that there are to be, as somebody has written them down. */
export interface Declared {
  readonly groups: readonly DeclaredGroup[];
  readonly users: readonly DeclaredUser[];
  readonly robots: readonly DeclaredRobot[];
}

interface DeclaredGroup {
  readonly name: string;
  readonly grants: readonly Grant[];
}

export interface DeclaredUser extends DeclaredGroup {
  /** Absent where the user is there, and keeps what they have. */
  readonly password?: string;
  readonly groups: readonly string[];
}

interface DeclaredRobot extends DeclaredGroup {
  readonly secret: NewSecret;
}

const OWNER = 'machine';
const ABOUT = { description: '', createdBy: OWNER } as const;

/** Makes what is missing, and what is otherwise as it is declared: passwords, secrets, memberships, and grants by their patterns.
 *  Takes nothing away. What is so already is not written. Throws for a user who is not there and has no password. */
export async function declare(registry: Registry, { groups, users, robots }: Declared): Promise<void> {
  for (const group of groups) await declareGroup(registry, group);
  for (const user of users) await declareUser(registry, user);
  for (const robot of robots) await declareRobot(registry, robot);
}

async function declareGroup(registry: Registry, { name, grants }: DeclaredGroup): Promise<void> {
  const subject = subjectOf('group', name);
  if (!(await findGroup(registry, name)) && (await createGroup(registry, { name, grants, ...ABOUT })))
    await record(registry, 'group.create', subject);
  await declareGrants(registry, subject, grants);
}

async function declareUser(registry: Registry, user: DeclaredUser): Promise<void> {
  const { name, password, grants, groups } = user;
  const subject = subjectOf('user', name);
  const found = await findUser(registry, name);
  if (!found && password === undefined) throw new Error(`there is no user ${name}, and no password for one`);
  if (!found && password !== undefined) {
    await createUser(registry, { name, password, grants, groups, ...ABOUT });
    await record(registry, 'user.create', subject);
  } else if (password !== undefined && !(await verifyPassword(password, found?.passwordHash, OWNER))) {
    await setPassword(registry, name, password);
    await record(registry, 'user.password', subject);
  }
  await declareGrants(registry, subject, grants);
  const missing = groups.filter((group) => found && !found.groups.includes(group));
  for (const group of missing) {
    await addMember(registry, group, name);
    await record(registry, 'member.add', `group:${group} ${subject}`);
  }
}

async function declareRobot(registry: Registry, { name, grants, secret }: DeclaredRobot): Promise<void> {
  const subject = subjectOf('robot', name);
  const found = await findRobot(registry, name);
  if (!found) {
    await createRobot(registry, { name, grants, ...ABOUT }, secret);
    await record(registry, 'robot.create', subject);
  } else if (!isSecret(secret.text, found.hash)) {
    await renewSecret(registry, name, {}, secret);
    await record(registry, 'robot.secret', subject);
  }
  await declareGrants(registry, subject, grants);
}

async function declareGrants(registry: Registry, subject: Subject, grants: readonly Grant[]): Promise<void> {
  const held = (await grantsOf(registry, subject)) ?? [];
  for (const grant of grants) {
    const before = held.find(({ pattern }) => pattern === grant.pattern);
    if (before && sorted(before) === sorted(grant)) continue;
    await setGrant(registry, subject, grant, authorityOf(ADMIN_GRANTS));
    await record(registry, 'grant.set', `${subject} ${grant.pattern}`);
  }
}

const sorted = ({ actions }: Grant) => [...actions].sort().join();

function record(registry: Registry, operation: string, target: string): Promise<void> {
  return recordAudit(registry, {
    time: registry.now(),
    principal: OWNER,
    operation,
    outcome: 'allowed',
    status: 200,
    target,
    address: '',
    userAgent: 'users file',
  });
}
