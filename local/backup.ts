import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { scanObjects } from '../functions/upkeep/orphans.ts';
import { type Copied, copyRegistry } from './copy-registry.ts';
import { openExisting } from './embedded.ts';
import { freshTableCopy } from './fresh-table-copy.ts';

// `stowage backup`: copies the registry of a data folder, which may be running, and looks whether the copy is whole.

const { values: options } = parseArgs({
  options: {
    /** Of the registry. */
    data: { type: 'string', default: process.env['STOWAGE_DATA'] || 'data' },
    /** The folder that the backup is put into; one of before is brought up to date. */
    to: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});

await main().catch((error: unknown) => {
  process.stderr.write(`stowage: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});

/** Ends with 1 where the backup lacks anything. */
async function main(): Promise<void> {
  process.umask(0o077);
  const [data, to] = [resolve(options.data), resolve(options.to)];
  await freshTableCopy(data, tell);
  const copied = await copyRegistry(data, to);
  const { objects, bytes, lacking } = await lookAt(to);
  if (options.json) process.stdout.write(`${JSON.stringify({ objects, bytes, lacking, ...copied })}\n`);
  else tell(textOf(copied, `${objects} objects, ${bytes} bytes`));
  if (lacking === 0) return;
  tell(`${lacking} that its images need are missing or damaged, as in ${data}: stowage scan --data ${to}`);
  process.exitCode = 1;
}

function textOf({ added, removed }: Copied, all: string): string {
  return `the backup has ${all}; ${added} added, ${removed} removed`;
}

async function lookAt(folder: string) {
  const { registry, close } = await openExisting(folder, tell);
  let lacking = 0;
  const report = ({ is }: { readonly is: string }) => {
    if (is !== 'unknown') lacking += 1;
  };
  try {
    const { objects, bytes } = await scanObjects(registry, { report });
    return { objects, bytes, lacking };
  } finally {
    await close();
  }
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
