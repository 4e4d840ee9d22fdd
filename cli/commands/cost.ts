import { type Command, InvalidArgumentError, Option } from 'commander';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { billFor } from '../cost/bill.ts';
import { showComparison } from '../cost/comparison.ts';
import { costSoFar } from '../cost/live.ts';
import { LIST_PRICES, type Prices, readPrices } from '../cost/prices.ts';
import { ecrQuantities, idle, quantitiesOf, type Workload } from '../cost/quantities.ts';
import { costOfRepositories, costOfRepository } from '../cost/repositories.ts';
import { billText, dollarText } from '../cost/text.ts';
import { misuse } from '../failure.ts';
import { Output } from '../output.ts';
import { type GlobalOptions, onRegistry, type Session } from '../session.ts';
import { facts } from '../text.ts';
import { countValue, repositoryValue } from '../values.ts';

const HELP = `
stowage cost --stored-gb 50 --pushes 2000 --pulls 50000 --internet-gb 500
stowage cost team/app --tags 'v1.*'
stowage cost --live
stowage cost --compare
How it is computed, and what it does not know: docs/cost.md. A GB is 2^30 bytes.`;

/** S3's, for one PUT. */
const MAX_LAYER_MB = 5120;
const MOST = 1e9;

export function addCostCommand(program: Command): void {
  const choice = (flags: string, description: string, choices: readonly string[]) =>
    new Option(flags, description).choices(choices).default(choices[0]);
  program
    .command('cost')
    .description('what a workload or a repository costs a month')
    .argument('[repository]', 'ask the registry about this one', repositoryValue)
    .option('--repositories', 'ask the registry about all that you may pull')
    .option('--live', 'ask the registry what was downloaded in this month so far')
    .option('--compare', 'what four published workloads cost here and elsewhere')
    .option('--tags <pattern>', "only these tags of the repository: 'v1.*'", patternValue)
    .option('--days <number>', 'price the use of so many days (default: 30)', daysValue)
    .option('--stored-gb <gb>', 'GB of images', amountValue, 0)
    .option('--table-gb <gb>', 'GB of the table: 14 KB an image', amountValue, 0.1)
    .option('--pushes <number>', 'pushes a month', amountValue, 0)
    .option('--pulls <number>', 'pulls a month', amountValue, 0)
    .option('--layers <number>', 'layers of an image', countValue, 10)
    .option('--new-layers <number>', 'new layers of a push', amountValue, 3)
    .option('--layer-mb <mb>', 'MB of each of these', amountValue, 20)
    .option('--index', 'pulls are of images for several platforms')
    .option('--internet-gb <gb>', 'GB of downloads to the internet', amountValue, 0)
    .option('--region-gb <gb>', 'GB of downloads in the region', amountValue, 0)
    .addOption(choice('--downloads <option>', 'as deployed', ['s3', 'cdn']))
    .addOption(choice('--stream-host <option>', 'as deployed', ['none', 'instance']))
    .addOption(choice('--push-by <client>', 'who pushes', ['docker', 'stowage']))
    .option('--free-tier', 'use what an account has free', true)
    .option('--no-free-tier', 'as if all of that were used up')
    .option('--lambda-ms <ms>', 'how long a request takes in Lambda', amountValue, 50)
    .option('--prices <file>', 'a file like cli/cost/prices.json')
    .addHelpText('after', HELP)
    .action(cost);
}

interface CostOptions extends Workload, GlobalOptions {
  readonly tags?: string;
  readonly days?: number;
  readonly repositories?: boolean;
  readonly live?: boolean;
  readonly compare?: boolean;
  readonly freeTier: boolean;
  readonly prices?: string;
}

async function cost(name: RepositoryName | undefined, _: unknown, command: Command): Promise<void> {
  const { repositories, live, compare, prices: file, ...options } = command.optsWithGlobals<CostOptions>();
  if ([name !== undefined, repositories, live, compare].filter(Boolean).length > 1)
    throw misuse('name a repository, or say one of --repositories, --live and --compare');
  const prices = file === undefined ? LIST_PRICES : readPrices(file);
  if (compare) {
    refuseGiven(command, NOT_COMPARED, 'is not for --compare, whose workloads are published');
    return showComparison(new Output(options), prices, options.freeTier);
  }
  if (name === undefined && !repositories && !live) {
    refuseGiven(command, ['tags', 'days'], 'is for a repository: name one, or say --repositories');
    return showWorkload(new Output(options), options, prices);
  }
  refuseGiven(command, OF_A_WORKLOAD, 'is for a workload; what a repository has is counted');
  if (name === undefined) refuseGiven(command, ['tags'], 'is for one repository');
  if (live) refuseGiven(command, ['days'], 'is not for what was downloaded, which is told of this month');
  const { tags, days, downloads, lambdaMs } = options;
  const asked = { downloads, lambdaMs, prices, ...(tags && { tags }), ...(days && { days }) };
  const ask = (session: Session) => {
    if (live) return costSoFar(session, asked);
    return name === undefined ? costOfRepositories(session, asked) : costOfRepository(session, name, asked);
  };
  await onRegistry(ask)(command);
}

const OF_A_WORKLOAD = [
  ...['storedGb', 'pushes', 'pulls', 'layers', 'newLayers', 'layerMb', 'index', 'internetGb', 'regionGb'],
  ...['tableGb', 'streamHost', 'pushBy', 'freeTier'],
];

const NOT_COMPARED = [
  ...OF_A_WORKLOAD.filter((option) => option !== 'freeTier'),
  'tags',
  'days',
  'downloads',
];

function refuseGiven(command: Command, names: readonly string[], why: string): void {
  const given = command.options.find(
    (option) =>
      names.includes(option.attributeName()) &&
      command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (given) throw misuse(`${given.long} ${why}`);
}

function showWorkload(output: Output, options: CostOptions, prices: Prices): void {
  const { storedGb, pushes, pulls, layers, newLayers, layerMb, freeTier } = options;
  if (storedGb + pushes + pulls === 0)
    throw misuse('what does it cost? say at least --stored-gb, --pushes or --pulls, or name a repository');
  if (newLayers > layers) throw misuse('--new-layers is at most --layers');
  if (layerMb > MAX_LAYER_MB) throw misuse(`--layer-mb is at most ${MAX_LAYER_MB}`);
  const bill = billFor(quantitiesOf(options), prices, freeTier);
  const resting = billFor(quantitiesOf(idle(options)), prices, freeTier);
  const byStowage = billFor(quantitiesOf({ ...options, pushBy: 'stowage' }), prices, freeTier);
  const ecr = billFor(ecrQuantities(options), prices, freeTier);
  const { asOf, region } = prices;
  const told = { prices: { asOf, region, freeTier }, workload: workloadOf(options), ...bill };
  output.result({ ...told, byStowage, idle: resting, ecr }, () => {
    const others = facts([
      ['pushed by stowage', dollarText(byStowage.total)],
      ['ECR, the same', dollarText(ecr.total)],
      ['without a push or pull', dollarText(resting.total)],
    ]);
    return `${billText(bill)}\n${others}`;
  });
  const free = freeTier ? '; what is free is free once for the whole account' : '';
  output.say(`list prices of ${region} as of ${asOf}, without tax${free}; tried on no real account yet`);
}

function workloadOf(options: CostOptions): Workload {
  const { storedGb, tableGb, pushes, pulls, layers, newLayers, layerMb, index } = options;
  const { internetGb, regionGb, downloads, streamHost, pushBy, lambdaMs } = options;
  const traffic = { internetGb, regionGb, downloads, streamHost, pushBy, lambdaMs };
  return { storedGb, tableGb, pushes, pulls, layers, newLayers, layerMb, index: index ?? false, ...traffic };
}

function amountValue(text: string): number {
  const amount = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (amount <= MOST) return amount;
  throw new InvalidArgumentError('It is a number from 0 to a billion, such as 50 or 0.5.');
}

function patternValue(text: string): string {
  if (/^[\w.*-]{1,255}$/.test(text)) return text;
  throw new InvalidArgumentError("It is a tag in which * stands for any characters, such as 'v1.*'.");
}

/** The trail goes back a year. */
function daysValue(text: string): number {
  const days = countValue(text);
  if (days <= 365) return days;
  throw new InvalidArgumentError('It is a number of days, 1 to 365.');
}
