import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ENV } from '../functions/environment.ts';
import { Crowd, type Tally } from '../test/attacks/crowd.ts';
import { type AwsStores, startAwsStores } from '../test/aws/stores.ts';
import { freePort } from '../test/free-port.ts';
import type { ServerGroup } from './server-group.ts';
import { LOOPBACK, type Recipe, stowage } from './servers.ts';
import { digits, quantile } from './statistics.ts';
import { table } from './table.ts';

/** How long a transaction of DynamoDB runs here, and others conflict with it: 5 to 15 ms. */
const TRANSACTION_MS = 10;

interface ContentionOptions {
  readonly root: string;
  /** Made. */
  readonly workspace: string;
  readonly group: ServerGroup;
  /** How many at once; one run of all rows each. */
  readonly clients: readonly number[];
  /** Of each change to one repository, and of repositories that share one blob. */
  readonly changes: number;
}

/** Has crowds change one repository, and share one blob, on each host; the section of the report. */
export async function contention(options: ContentionOptions): Promise<string> {
  const { root, workspace } = options;
  mkdirSync(workspace);
  const rows = await crowdRows('embedded', await stowage(root)(join(workspace, 'embedded')), options);
  const stores = await startAwsStores(undefined, { transactionMs: TRANSACTION_MS });
  if (!stores) throw new Error('no DynamoDB server for this platform; name one in STOWAGE_TEST_DYNAMODB');
  try {
    const host = [join(root, 'local/start.mjs')];
    const lambda = (port: number) => [join(import.meta.dirname, 'cloud/processes/lambda.ts'), `${port}`];
    for (const [name, program] of Object.entries({ 'Node host on AWS': () => host, Lambda: lambda }))
      rows.push(...(await crowdRows(name, await onAws(name, program, stores, options), options)));
  } finally {
    await stores.stop();
  }
  return contentionReport(rows);
}

async function onAws(
  name: string,
  program: (port: number) => string[],
  { environment }: AwsStores,
  { root, workspace }: ContentionOptions,
): Promise<Recipe> {
  const port = await freePort();
  return {
    name,
    command: [process.execPath, ...program(port)],
    port,
    settings: { ...environment, [ENV.open]: '1', STOWAGE_STORE: 'aws', STOWAGE_PORT: `${port}` },
    root,
    log: join(workspace, `${name}.log`),
  };
}

async function crowdRows(
  host: string,
  recipe: Recipe,
  { group, clients, changes }: ContentionOptions,
): Promise<string[][]> {
  const server = await group.start(recipe);
  const rows: string[][] = [];
  for (const count of clients) {
    const crowd = new Crowd({ url: `http://${LOOPBACK}:${recipe.port}`, clients: count });
    const tallies = [
      ...(await crowd.changeOneRepository(`of-${host.toLowerCase().replaceAll(' ', '-')}/${count}`, changes)),
      ...(await crowd.shareOneBlob(`of-${host.toLowerCase().replaceAll(' ', '-')}-${count}`, changes)),
    ];
    crowd.close();
    rows.push(...tallies.map((tally) => rowOf(host, count, tally)));
    console.error(`${host}, ${count} clients: done`);
  }
  await server.stop();
  return rows;
}

function rowOf(host: string, clients: number, { title, statuses, milliseconds }: Tally): string[] {
  const counted = (first: number, last: number) =>
    Object.entries(statuses).reduce(
      (sum, [status, n]) => sum + (Number(status) >= first && Number(status) <= last ? n : 0),
      0,
    );
  const numbers = [clients, counted(200, 299), counted(429, 429), counted(500, 599)];
  const times = [0.5, 0.99].map((part) => digits(quantile(milliseconds, part)));
  return [host, title, ...numbers.map(String), ...times];
}

function contentionReport(rows: readonly (readonly string[])[]): string {
  const refused = rows.filter((row) => row[4] !== '0' || row[5] !== '0').length;
  if (refused > 0) process.exitCode = 1;
  return [
    '## Many at once',
    '',
    'So many clients, each of whom sends its next request when the last one is answered, in one repository, or with one blob that many',
    `repositories share. On AWS a transaction of DynamoDB runs for ${TRANSACTION_MS / 2} to ${TRANSACTION_MS * 1.5} ms and refuses others at its items`,
    '([docs/harness.md](harness.md)). No row may have a 429 or a 5xx. Milliseconds.',
    '',
    table(['host', 'request', 'clients', '2xx', '429', '5xx', 'p50', 'p99'], rows, 2),
    '',
  ].join('\n');
}
