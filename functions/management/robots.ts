import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { robotLogin } from '../identity/principal.ts';
import {
  changeRobot,
  createRobot,
  deleteRobot,
  findRobot,
  type Robot as RobotItem,
  renewSecret,
  robotOf,
} from '../identity/robots.ts';
import { conflict, inputInvalid } from '../oci/errors.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { future, nameOf, present } from './input.ts';
import { iso, subjectPage, usesOf } from './output.ts';
import { requireAdmin } from './rights.ts';
import {
  Description,
  FutureTime,
  Grant,
  Grants,
  Next,
  named,
  Principal,
  pageOf,
  SubjectName,
  Time,
} from './schemas.ts';
import { Change } from './users.ts';

const LOGIN = 'What it logs in with as user name.';
const SECRET = 'What it logs in with as password: shown now and never again.';

const Robot = named(
  'Robot',
  z.strictObject({
    name: SubjectName,
    login: z.string().describe(LOGIN),
    description: Description,
    disabled: z.boolean(),
    grants: z.array(Grant),
    createdAt: Time,
    createdBy: Principal,
    validUntil: Time.optional().describe('Absent where it never ends.'),
    formerValidUntil: Time.optional().describe(
      'Until when the secret before this one is let in; absent where it is not.',
    ),
    lastUsedAt: Time.optional().describe('To the hour; absent where it was never used.'),
  }),
);

const NewRobot = named(
  'NewRobot',
  z.strictObject({
    name: SubjectName,
    description: Description.optional(),
    grants: Grants,
    validUntil: FutureTime.optional(),
  }),
);

const CreatedRobot = named(
  'CreatedRobot',
  z.strictObject({ robot: Robot, login: z.string().describe(LOGIN), secret: z.string().describe(SECRET) }),
);
const RobotList = named('RobotList', z.strictObject({ robots: z.array(Robot), next: Next }));
const NewSecret = named(
  'NewSecret',
  z.strictObject({
    validUntil: FutureTime.optional(),
    formerValidUntil: FutureTime.optional().describe(
      'Until when the secret that is replaced is let in, 90 days at most. Without it that is void at once.',
    ),
  }),
);
const RenewedSecret = named(
  'RenewedSecret',
  z.strictObject({ robot: Robot, secret: z.string().describe(SECRET) }),
);

/** Ours: two secrets are twice what can leak. */
const MAX_OVERLAP_MS = 90 * 86_400_000;

const robotOut = (robot: RobotItem, now: number): z.infer<typeof Robot> => ({
  name: robot.name,
  login: robotLogin(robot.name),
  description: robot.description,
  disabled: robot.disabled,
  grants: robot.grants.map(({ pattern, actions }) => ({ pattern, actions: [...actions] })),
  createdAt: iso(robot.createdAt),
  createdBy: robot.createdBy,
  ...(robot.former && robot.former.validUntil > now && { formerValidUntil: iso(robot.former.validUntil) }),
  ...usesOf(robot),
});

export const endpoints = {
  'robot.list': endpoint({
    summary: 'Robots, in the order of their names',
    query: z.strictObject(pageOf(SubjectName)),
    answer: RobotList,
    allow: requireAdmin,
    async handle(call, { query }) {
      const { entries, ...rest } = await subjectPage(call, 'robot', query, (name, found) =>
        robotOut(robotOf(name, found), call.registry.now()),
      );
      return { robots: entries, ...rest };
    },
  }),
  'robot.create': endpoint({
    summary: 'Make a robot: a login for a program',
    body: NewRobot,
    status: 201,
    answer: CreatedRobot,
    problems: { 409: 'The name is taken.' },
    allow: requireAdmin,
    async handle(call, { body }) {
      const { name, description = '', grants } = body;
      call.about(`robot:${name}`);
      const validUntil = future(call, body.validUntil);
      const createdBy = call.caller.principal;
      const secret = await createRobot(call.registry, { name, description, grants, validUntil, createdBy });
      if (!secret) throw conflict(`there is a robot of this name: ${name}`);
      const robot = await shown(call, name);
      return { robot, login: robot.login, secret: secret.text };
    },
  }),
  'robot.get': endpoint({
    summary: 'A robot',
    answer: Robot,
    allow: requireAdmin,
    async handle(call) {
      return shown(call, nameOf(call, 'robot'));
    },
  }),
  'robot.change': endpoint({
    summary: 'Disable or enable a robot, or describe it anew; a disabled robot is out at once',
    body: Change,
    answer: Robot,
    allow: requireAdmin,
    async handle(call, { body }) {
      const name = nameOf(call, 'robot');
      present((await changeRobot(call.registry, name, body)) || undefined, 'robot', name);
      return shown(call, name);
    },
  }),
  'robot.delete': endpoint({
    summary: 'Delete a robot',
    allow: requireAdmin,
    async handle(call) {
      const name = nameOf(call, 'robot');
      present((await deleteRobot(call.registry, name)) || undefined, 'robot', name);
    },
  }),
  'robot.secret': endpoint({
    summary:
      "Replace a robot's secret, and its end where one is given; the old secret is void at once, or when you say",
    body: NewSecret,
    answer: RenewedSecret,
    allow: requireAdmin,
    async handle(call, { body }) {
      const name = nameOf(call, 'robot');
      const validUntil = future(call, body.validUntil);
      const formerUntil = overlap(call, body.formerValidUntil);
      if (validUntil === undefined) await requireOpenEnd(call, name);
      const renewed = await renewSecret(call.registry, name, { validUntil, formerUntil });
      const secret = present(renewed, 'robot', name);
      return { robot: await shown(call, name), secret: secret.text };
    },
  }),
} satisfies Record<string, Endpoint>;

/** A secret that has ended when it is made is of use to nobody. */
async function requireOpenEnd(call: Call, name: string): Promise<void> {
  const { validUntil = Number.POSITIVE_INFINITY } = await requireRobot(call, name);
  if (validUntil > call.registry.now()) return;
  const message = `is needed: robot ${name} ended on ${iso(validUntil).slice(0, 10)}`;
  throw inputInvalid('body', [{ path: 'validUntil', message }]);
}

function overlap(call: Call, text: string | undefined): number | undefined {
  const until = future(call, text, 'formerValidUntil');
  if (until === undefined || until <= call.registry.now() + MAX_OVERLAP_MS) return until;
  throw inputInvalid('body', [{ path: 'formerValidUntil', message: 'must be within 90 days' }]);
}

async function shown(call: Call, name: string): Promise<z.infer<typeof Robot>> {
  return robotOut(await requireRobot(call, name), call.registry.now());
}

async function requireRobot({ registry }: Call, name: string): Promise<RobotItem> {
  return present(await findRobot(registry, name), 'robot', name);
}
