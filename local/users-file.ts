import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { type Declared, type DeclaredUser, declare } from '../functions/identity/declared.ts';
import { GRANT_ACTIONS, GRANT_PATTERN } from '../functions/identity/grants.ts';
import { SUBJECT_NAME } from '../functions/identity/principal.ts';
import { givenSecret } from '../functions/identity/secrets.ts';
import { MAX_GRANTS } from '../functions/identity/subject-grants.ts';
import type { Registry } from '../functions/registry/registry.ts';

const SubjectName = z
  .string()
  .regex(SUBJECT_NAME, 'must be lower-case letters and digits, with . _ and - between, 1 to 64 characters');
const Grants = z
  .array(
    z.strictObject({
      pattern: z.string().regex(GRANT_PATTERN, 'must be a repository name with *: team-a/*'),
      actions: z.array(z.enum(GRANT_ACTIONS)).min(1).max(GRANT_ACTIONS.length),
    }),
  )
  .max(MAX_GRANTS);
const Password = z.string().min(12).max(256);

const Named = z.strictObject({ name: SubjectName, grants: Grants.default([]) });
const File = z.strictObject({
  groups: z.array(Named).default([]),
  users: z
    .array(Named.extend({ passwordFile: z.string().optional(), groups: z.array(SubjectName).default([]) }))
    .default([]),
  robots: z.array(Named.extend({ secretFile: z.string() })).default([]),
});

/** A file that says which users, groups and robots there are to be. */
export class UsersFile {
  /** Whether one of its users is admin of the registry. */
  readonly namesAdmin: boolean;
  readonly #path: string;
  readonly #declared: Declared;
  #rereading: Promise<void> = Promise.resolve();

  private constructor(path: string, declared: Declared) {
    [this.#path, this.#declared] = [path, declared];
    this.namesAdmin = namesAdmin(declared);
  }

  /** Throws with the file and the place in it for what is wrong. */
  static read(path: string): UsersFile {
    return new UsersFile(path, readUsersFile(path));
  }

  /** Makes all that it names, as it was read. */
  take(registry: Registry): Promise<void> {
    return declare(registry, this.#declared);
  }

  /** Reads it again, and makes what it names now; one after the other, so that nobody goes back to what the file said before. */
  reread(registry: Registry, tell: (what: string) => void): void {
    this.#rereading = this.#rereading
      .then(() => UsersFile.read(this.#path).take(registry))
      .then(
        () => tell('the users file was read again'),
        (error: unknown) => tell(`the users file was not taken: ${(error as Error).message}`),
      );
  }
}

/** Also the files of passwords and secrets that it names, from its own folder on. */
function readUsersFile(path: string): Declared {
  const parsed = File.safeParse(jsonIn(path));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw wrong(path, `${issue?.path.join('.') || 'the file'}: ${issue?.message}`);
  }
  const { groups, users, robots } = parsed.data;
  const contentOf = (file: string) => textIn(resolve(dirname(path), file)).replace(/\r?\n$/, '');
  return {
    groups,
    users: users.map(({ passwordFile, ...user }): DeclaredUser => {
      if (passwordFile === undefined) return user;
      const { success, data: password } = Password.safeParse(contentOf(passwordFile));
      if (!success) throw wrong(path, `${passwordFile} has no password of 12 to 256 characters`);
      return { ...user, password };
    }),
    robots: robots.map(({ secretFile, ...robot }) => {
      const secret = givenSecret('robot', contentOf(secretFile));
      if (!secret)
        throw wrong(path, `${secretFile} has no secret: stow_robot_, 16 hexadecimal digits, _, 64 more`);
      return { ...robot, secret };
    }),
  };
}

const namesAdmin = ({ users }: Declared) =>
  users.some(
    ({ grants, password }) =>
      password !== undefined &&
      grants.some(({ pattern, actions }) => pattern === '*' && actions.includes('admin')),
  );

function jsonIn(path: string): unknown {
  try {
    return JSON.parse(textIn(path));
  } catch (error) {
    throw error instanceof SyntaxError ? wrong(path, error.message) : error;
  }
}

function textIn(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`STOWAGE_USERS_FILE cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

const wrong = (path: string, what: string) => new Error(`STOWAGE_USERS_FILE: ${path}: ${what}`);
