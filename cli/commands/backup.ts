import type { Command } from 'commander';
import { runOnStore } from '../store-program.ts';

const PROGRAM = 'local/backup.ts';

const EXPLANATION = `
The registry may run meanwhile, and pushes go on: the backup has all that was acknowledged before it was begun. The folder of
a backup is a data folder: "stowage serve --data FOLDER" serves it. One of before is brought up to date, so that each costs what
has changed; keep several by copying or snapshotting the folder afterwards. On AWS: docs/backup.md.`;

export function addBackupCommand(program: Command): void {
  program
    .command('backup <folder>')
    .description('copy a registry on this machine, and check it')
    .option('--data <directory>', 'of the registry', process.env['STOWAGE_DATA'] || 'data')
    .addHelpText('after', EXPLANATION)
    .action((folder: string, { data }: { readonly data: string }, command: Command) =>
      runOnStore(PROGRAM, { data }, ['--to', folder], command),
    );
}
