import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ENV } from '../functions/environment.ts';
import { recordAudit } from '../functions/identity/audit.ts';
import { createFirstAdmin, newPassword } from '../functions/identity/first-admin.ts';
import { RESERVED_NAMES, SUBJECT_NAME } from '../functions/identity/principal.ts';
import { findUser, setPassword } from '../functions/identity/users.ts';
import type { Registry } from '../functions/registry/registry.ts';
import { openExisting } from './embedded.ts';

// `stowage admin`: whoever may write to the store may make its first admin, and give a user a new password. Prints
// the password alone on standard output; it is kept nowhere.

const { values: options } = parseArgs({
  options: {
    /** The DynamoDB table, reached by the usual AWS configuration. */
    table: { type: 'string' },
    region: { type: 'string' },
    /** The data directory of a registry that is stopped. */
    data: { type: 'string' },
    name: { type: 'string', default: 'admin' },
    /** Instead of making an admin: whose password to replace. */
    'reset-password': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

await main().catch((error: unknown) => {
  process.stderr.write(`stowage: ${reasonOf(error)}\n`);
  process.exitCode = 1;
});

async function main(): Promise<void> {
  const { registry, owner, close } = await open();
  const name = options['reset-password'] ?? options.name;
  const isReset = options['reset-password'] !== undefined;
  try {
    const password = await (isReset ? resetPassword(registry, name) : createAdmin(registry, name));
    await record(registry, { owner, operation: isReset ? 'user.password' : 'user.create', name });
    process.stderr.write(`${isReset ? 'the new password of' : 'made'} ${name}; it is shown once:\n`);
    process.stdout.write(options.json ? `${JSON.stringify({ name, password })}\n` : `${password}\n`);
  } finally {
    await close();
  }
}

interface OpenStore {
  readonly registry: Registry;
  /** What the audit trail calls whoever has the store. */
  readonly owner: 'aws' | 'machine';
  close(): Promise<void>;
}

async function open(): Promise<OpenStore> {
  const { table, region, data } = options;
  if (data !== undefined) {
    const { registry, close } = await openExisting(resolve(data));
    return { registry, owner: 'machine', close };
  }
  if (table === undefined) throw new Error('name one store: --table or --data');
  // Loaded only here: a directory needs no AWS SDK.
  const { createAwsMetadata } = await import('../functions/aws.ts');
  if (region !== undefined) process.env['AWS_REGION'] = region;
  const registry = createAwsMetadata({ ...process.env, [ENV.table]: table });
  return { registry, owner: 'aws', close: async () => undefined };
}

async function createAdmin(registry: Registry, name: string): Promise<string> {
  if (!SUBJECT_NAME.test(name) || RESERVED_NAMES.includes(name)) {
    throw new Error(`not a user name (lower-case letters, digits, and . _ - between): ${name}`);
  }
  const password = await createFirstAdmin(registry, name);
  if (password !== undefined) return password;
  throw new Error(
    'this registry has users already: its admins make further ones with "stowage user create --admin"; ' +
      'where their passwords are lost, use "stowage admin reset-password"',
  );
}

async function resetPassword(registry: Registry, name: string): Promise<string> {
  const user = SUBJECT_NAME.test(name) ? await findUser(registry, name) : undefined;
  const password = newPassword();
  if (!user || !(await setPassword(registry, name, password))) throw new Error(`there is no user ${name}`);
  if (user.disabled) process.stderr.write(`${name} is disabled; an admin must enable the user first\n`);
  return password;
}

interface Deed {
  readonly owner: string;
  readonly operation: string;
  readonly name: string;
}

function record(registry: Registry, { owner, operation, name }: Deed): Promise<void> {
  return recordAudit(registry, {
    time: registry.now(),
    principal: owner,
    operation,
    outcome: 'allowed',
    status: 200,
    target: `user:${name}`,
    address: '',
    userAgent: 'stowage admin',
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return `${error}`;
  if (error.name === 'ResourceNotFoundException') return `there is no table ${options.table} in this region`;
  return error.message;
}
