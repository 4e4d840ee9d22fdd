import type { Command } from 'commander';
import { runOnStore, type StoreOptions, storeOptions } from '../store-program.ts';

const PROGRAM = 'local/create-admin.ts';

export function addAdminCommands(program: Command): void {
  const admin = program
    .command('admin')
    .description('the first admin, for whoever owns the store: by AWS credentials, or on the machine itself');
  storeOptions(admin.command('create'))
    .description('make the first admin and print the password, which is shown once')
    .option('--name <name>', 'its user name', 'admin')
    .action((options: StoreOptions & { readonly name: string }, command: Command) =>
      runOnStore(PROGRAM, options, ['--name', options.name], command),
    );
  storeOptions(admin.command('reset-password <user>'))
    .description('give a user a new password and print it, where no admin can log in any more')
    .action((user: string, options: StoreOptions, command: Command) =>
      runOnStore(PROGRAM, options, ['--reset-password', user], command),
    );
}
