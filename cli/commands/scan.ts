import type { Command } from 'commander';
import { misuse } from '../failure.ts';
import { runOnStore, type StoreOptions, storeOptions } from '../store-program.ts';

const PROGRAM = 'local/scan.ts';

export function addScanCommand(program: Command): void {
  storeOptions(program.command('scan'))
    .description('compare the stores: bytes that nothing uses, and images whose bytes are gone')
    .option('--bucket <name>', "the deployment's S3 bucket; belongs to --table")
    .action(async (options: StoreOptions, command: Command) => {
      if ((options.bucket === undefined) !== (options.table === undefined))
        throw misuse('--table and --bucket belong together');
      await runOnStore(PROGRAM, options, [], command);
    });
}
