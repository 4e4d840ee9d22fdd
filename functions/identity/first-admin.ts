import { randomBytes } from 'node:crypto';
import type { Registry } from '../registry/registry.ts';
import { listSubjects } from './subjects.ts';
import { createUser } from './users.ts';

/** Admin of everything: what the first admin has, and whoever else may manage users. */
export const ADMIN_GRANTS = [{ pattern: '*', actions: ['admin'] }] as const;

/** 144 random bits, as one word that can be selected with a double click. */
export const newPassword = () => randomBytes(18).toString('base64url').replaceAll(/[-_]/g, 'x');

/** Makes an admin of everything where the registry has no user yet, and answers the password, which is kept nowhere;
 *  `undefined` where there are users. */
export async function createFirstAdmin(
  registry: Registry,
  name: string,
  password = newPassword(),
): Promise<string | undefined> {
  const { entries } = await listSubjects(registry, 'user', { limit: 1 });
  if (entries.length > 0) return undefined;
  const isNew = await createUser(registry, {
    name,
    password,
    description: 'the first admin',
    grants: ADMIN_GRANTS,
    createdBy: 'setup',
  });
  return isNew ? password : undefined;
}
