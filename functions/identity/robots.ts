import { subjectKey } from '../registry/keys.ts';
import { untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import type { Attributes } from '../storage/table.ts';
import type { Grant } from './grants.ts';
import { subjectOf } from './principal.ts';
import { type NewSecret, newSecret } from './secrets.ts';
import {
  changeSubject,
  createSubject,
  grantsAttribute,
  removeSubject,
  type SubjectItem,
  subjectItemOf,
} from './subjects.ts';

/** A program that logs in by itself, with one secret and grants of its own. */
export interface Robot extends SubjectItem {
  readonly disabled: boolean;
  /** Milliseconds since 1970, as the others; absent where it never ends. */
  readonly validUntil?: number;
  /** To the hour; absent where it was never used. */
  readonly lastUsedAt?: number;
  /** Changes with the secret: what was derived from an older one is void. */
  readonly stamp: string;
  readonly hash: Uint8Array;
  /** The secret that was replaced last; absent where it was void at once. */
  readonly former?: FormerSecret;
}

interface FormerSecret {
  readonly stamp: string;
  readonly hash: Uint8Array;
  /** Milliseconds since 1970. */
  readonly validUntil: number;
}

export interface NewRobot {
  readonly name: string;
  readonly description: string;
  readonly grants: readonly Grant[];
  readonly validUntil?: number | undefined;
  readonly createdBy: string;
}

export const robotSubject = (name: string) => subjectOf('robot', name);

export async function findRobot({ table }: Registry, name: string): Promise<Robot | undefined> {
  const found = await table.get(subjectKey(robotSubject(name)));
  return found && robotOf(name, found);
}

/** Makes a robot; its secret is not kept, so it can be shown only now. `undefined` where the name is taken. */
export async function createRobot(
  registry: Registry,
  robot: NewRobot,
  secret = newSecret('robot'),
): Promise<NewSecret | undefined> {
  const attributes: Attributes = {
    description: robot.description,
    grants: grantsAttribute(robot.grants),
    disabled: false,
    createdAt: registry.now(),
    createdBy: robot.createdBy,
    ...secretAttributes(secret),
    ...(robot.validUntil !== undefined && { validUntil: robot.validUntil }),
  };
  const subject = robotSubject(robot.name);
  const isNew = await untilWon(registry, () => createSubject(registry, subject, attributes));
  return isNew ? secret : undefined;
}

export interface Renewal {
  /** Of the robot. @default as before */
  readonly validUntil?: number | undefined;
  /** Of the secret that is replaced; never beyond its end of before, nor the new one's. @default it is void at once */
  readonly formerUntil?: number | undefined;
}

/** Replaces the secret, and the end where one is given; any secret before the last is void. `undefined` where there is no such
 *  robot. */
export async function renewSecret(
  registry: Registry,
  name: string,
  { validUntil, formerUntil = 0 }: Renewal = {},
  secret = newSecret('robot'),
): Promise<NewSecret | undefined> {
  const isThere = await changeSubject(registry, robotSubject(name), (found) => {
    const { stamp, hash, validUntil: end = Number.POSITIVE_INFINITY } = robotOf(name, found);
    const until = Math.min(formerUntil, end, validUntil ?? end);
    return {
      ...secretAttributes(secret),
      ...{ formerStamp: stamp, formerHash: hash, formerUntil: until },
      ...(validUntil !== undefined && { validUntil }),
    };
  });
  return isThere ? secret : undefined;
}

/** Answers whether the robot is there. */
export function changeRobot(
  registry: Registry,
  name: string,
  change: { readonly disabled?: boolean | undefined; readonly description?: string | undefined },
): Promise<boolean> {
  const { disabled, description } = change;
  return changeSubject(registry, robotSubject(name), () => ({
    ...(disabled !== undefined && { disabled }),
    ...(description !== undefined && { description }),
  }));
}

/** Answers whether the robot was there. */
export async function deleteRobot(registry: Registry, name: string): Promise<boolean> {
  for (;;) {
    const found = await registry.table.get(subjectKey(robotSubject(name)));
    if (!found) return false;
    if (await removeSubject(registry, robotSubject(name), found)) return true;
  }
}

const secretAttributes = ({ id, hash }: NewSecret): Attributes => ({ stamp: id, hash });

export function robotOf(name: string, found: Attributes): Robot {
  const { validUntil, lastUsedAt } = found;
  return {
    ...subjectItemOf(robotSubject(name), found),
    disabled: found['disabled'] === true,
    stamp: found['stamp'] as string,
    hash: found['hash'] as Uint8Array,
    ...formerIn(found),
    ...(validUntil !== undefined && { validUntil: validUntil as number }),
    ...(lastUsedAt !== undefined && { lastUsedAt: lastUsedAt as number }),
  };
}

function formerIn({ formerStamp, formerHash, formerUntil }: Attributes): Pick<Robot, 'former'> {
  if (!formerUntil) return {};
  const former = { stamp: formerStamp as string, hash: formerHash as Uint8Array };
  return { former: { ...former, validUntil: formerUntil as number } };
}
