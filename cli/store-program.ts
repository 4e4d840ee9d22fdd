import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { misuse } from './failure.ts';
import type { GlobalOptions } from './session.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A deployment's table, or the directory of a registry on this machine. */
export interface StoreOptions {
  readonly table?: string;
  readonly bucket?: string;
  readonly region?: string;
  readonly data?: string;
}

/** The options that name a store. */
export function storeOptions(command: Command): Command {
  return command
    .option('--table <name>', "the deployment's DynamoDB table")
    .option('--region <name>', "the table's region (default: as your AWS configuration says)")
    .option('--data <directory>', 'of a registry on this machine, which must be stopped');
}

/** Runs one of our files on a store. A program of its own: the command line itself knows the API only, neither stores
 *  nor AWS. */
export async function runOnStore(
  program: string,
  { table, bucket, region, data }: StoreOptions,
  more: readonly string[],
  command: Command,
): Promise<void> {
  if ((table === undefined) === (data === undefined)) throw misuse('name one store: --table or --data');
  const named = Object.entries({ table, bucket, region, data });
  const options = named.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
  const json = command.optsWithGlobals<GlobalOptions>().json ? ['--json'] : [];
  const child = spawn(process.execPath, [join(ROOT, program), ...options, ...more, ...json], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
}
