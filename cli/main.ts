import { CommanderError } from 'commander';
import { Failure, MISUSED } from './failure.ts';
import { createProgram } from './program.ts';

// Whoever reads the output may stop early: `stowage audit | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

await createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = exitCodeOf(error);
  });

/** Says what went wrong, where that is not said yet: 2 for a wrong command line, 1 for anything else. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSED;
  process.stderr.write(`stowage: ${error instanceof Error ? error.message : error}\n`);
  return error instanceof Failure ? error.exitCode : 1;
}
