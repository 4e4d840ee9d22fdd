import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { misuse } from '../failure.ts';
import type { GlobalOptions } from '../session.ts';

const PROGRAM = fileURLToPath(new URL('../../local/create-admin.ts', import.meta.url));

export function addAdminCommands(program: Command): void {
  const admin = program
    .command('admin')
    .description('the first admin, for whoever owns the store: by AWS credentials, or on the machine itself');
  storeOptions(admin.command('create'))
    .description('make the first admin and print the password, which is shown once')
    .option('--name <name>', 'its user name', 'admin')
    .action((options: StoreOptions & { readonly name: string }, command: Command) =>
      runOnStore(options, ['--name', options.name], command),
    );
  storeOptions(admin.command('reset-password <user>'))
    .description('give a user a new password and print it, where no admin can log in any more')
    .action((user: string, options: StoreOptions, command: Command) =>
      runOnStore(options, ['--reset-password', user], command),
    );
}

interface StoreOptions {
  readonly table?: string;
  readonly region?: string;
  readonly data?: string;
}

function storeOptions(command: Command): Command {
  return command
    .option('--table <name>', "the deployment's DynamoDB table")
    .option('--region <name>', "the table's region (default: as your AWS configuration says)")
    .option('--data <directory>', 'of a registry on this machine, which must be stopped');
}

/** A program of its own: the command line itself knows the API only, neither stores nor AWS. */
async function runOnStore(
  { table, region, data }: StoreOptions,
  more: readonly string[],
  command: Command,
): Promise<void> {
  if ((table === undefined) === (data === undefined)) throw misuse('name one store: --table or --data');
  const named = Object.entries({ table, region, data });
  const options = named.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
  const json = command.optsWithGlobals<GlobalOptions>().json ? ['--json'] : [];
  const child = spawn(process.execPath, [PROGRAM, ...options, ...more, ...json], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
}
