import type { Command } from 'commander';
import { misuse } from '../failure.ts';
import { runOnStore, type StoreOptions, storeOptions } from '../store-program.ts';
import { percentValue } from '../values.ts';

const PROGRAM = 'local/scan.ts';

interface ScanOptions extends StoreOptions {
  readonly deep?: true;
  readonly sample?: number;
  readonly mark?: boolean;
}

const EXPLANATION = `
It writes nothing but marks. A blob or manifest that is marked is not there for clients that ask before a push: they send it
again, and that heals it in all repositories. A deep scan marks what it finds, since nothing else would have a client send
bytes that the registry seems to have. --no-mark is for credentials that may only read.`;

export function addScanCommand(program: Command): void {
  storeOptions(program.command('scan'))
    .description('compare the stores: what is lost, or unused')
    .option('--bucket <name>', "the deployment's S3 bucket; belongs to --table")
    .option(
      '--deep',
      'compare bytes with digests: by the checksums that S3 keeps, where it does; else reads them',
    )
    .option('--sample <percent>', 'with --deep, a random part of the objects (default: all)', percentValue)
    .option('--mark', 'mark what is missing or damaged (default with --deep)')
    .option('--no-mark', 'mark nothing (default without --deep)')
    .addHelpText('after', EXPLANATION)
    .action(async (options: ScanOptions, command: Command) => {
      if ((options.bucket === undefined) !== (options.table === undefined))
        throw misuse('--table and --bucket belong together');
      const { deep = false, sample = 100, mark = deep } = options;
      if (options.sample !== undefined && !deep) throw misuse('--sample belongs to --deep');
      const more = [...(deep ? ['--deep', `${sample}`] : []), ...(mark ? ['--mark'] : [])];
      await runOnStore(PROGRAM, options, more, command);
    });
}
