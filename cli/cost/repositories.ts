import type { Amount, Repository, TagsAmount, Usage } from '../../api/types.ts';
import { Failure } from '../failure.ts';
import type { Session } from '../session.ts';
import { facts, sizeText, table, timeText } from '../text.ts';
import { billFor } from './bill.ts';
import type { Prices } from './prices.ts';
import { quantitiesOf, type Workload } from './quantities.ts';
import { dollarText } from './text.ts';

/** How a repository is asked about, and what its use is reckoned with. */
interface UsageOptions extends Pick<Workload, 'downloads' | 'lambdaMs'> {
  readonly tags?: string;
  readonly days?: number;
}

export interface Priced extends UsageOptions {
  readonly prices: Prices;
}

type KnownUsage = Required<Omit<Usage, 'activity'>> & Pick<Usage, 'activity'>;

const GB = 2 ** 30;
const DEFAULT_DAYS = 30;
const MONTH_DAYS = 365 / 12;
const DAY_MS = 24 * 60 * 60_000;

/** Dollars a month, at list price: what an account has free is not one repository's. */
interface Cost {
  readonly storage: number;
  /** Absent where the use is not known. */
  readonly requests?: number;
  readonly total: number;
}

/** Tells what the tags of a repository cost, all or those of a pattern. */
export async function costOfRepository(session: Session, name: string, options: Priced): Promise<void> {
  const { output } = session;
  const { tags, days = DEFAULT_DAYS } = options;
  const usage = await usageOf(session, name, { days, tags });
  if (!usage) throw new Failure(`${name} is too large to be read in one request`);
  const { tagged, repository, activity } = usage;
  const cost = costOf(tagged, usage, options);
  const untagged = priceOfStorage(repository, options) - priceOfStorage(tagged, options);
  output.result({ name, usage, cost }, () => {
    const gone = tagged.bytes - tagged.ownBytes;
    const rest = facts([
      [
        'they lead to',
        `${counted(tagged.manifests, 'manifest')}, ${counted(tagged.blobs, 'blob')}, ${sizeText(tagged.bytes)}`,
      ],
      ['stays if they go', gone > 0 ? `${sizeText(gone)}, which other images here use` : undefined],
      ['elsewhere, too', elsewhereText(tagged)],
      ['uploads under way', usage.uploadBytes ? sizeText(usage.uploadBytes) : undefined],
      ['in the table', `about ${sizeText(tagged.metadataBytes)}`],
      ['pushes', activity && `${activity.pushes} since ${timeText(activity.since)}`],
      ['logins to pull', activity && `${activity.pullLogins}, from the whole repository`],
      ['tags pulled', activity && `${activity.pulledTags} of ${tagged.tags}`],
      ['the rest of it', tags === undefined ? dollarText(Math.max(0, untagged)) : undefined],
    ]);
    return `${sentence(tagged, cost)}\n\n${rest}`;
  });
  for (const note of notesOn(usage, options)) output.say(note);
}

/** `these 12 tags cost $3.10 a month: $2.90 storage, $0.20 requests` */
function sentence({ tags }: TagsAmount, { storage, requests, total }: Cost): string {
  const those = tags === 1 ? 'this 1 tag costs' : `these ${tags} tags cost`;
  const parts = [
    `${dollarText(storage)} storage`,
    ...(requests === undefined ? [] : [`${dollarText(requests)} requests`]),
  ];
  return `${those} ${dollarText(total)} a month: ${parts.join(', ')}`;
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

function elsewhereText({ elsewhereBytes = 0 }: Amount): string | undefined {
  return elsewhereBytes > 0 ? `${sizeText(elsewhereBytes)}, which S3 holds once for all` : undefined;
}

function notesOn({ activity }: KnownUsage, { tags, days = DEFAULT_DAYS, prices }: Priced): string[] {
  const at = `list prices of ${prices.region} as of ${prices.asOf}, without tax and without anything free`;
  const traffic = 'not in it: bytes that are pushed and downloaded, and pulls without a login';
  if (!activity) return [at, 'how it is used, its admins are told only: this is storage alone'];
  const short = Date.now() - Date.parse(activity.since) < (days - 1) * DAY_MS;
  return [
    at,
    traffic,
    ...(tags === undefined ? [] : ['nor pulls at all: the audit trail does not tell of which tags they are']),
    ...(short ? [`the trail was too long to count ${days} days of it`] : []),
  ];
}

/** Tells what each repository that the caller may pull costs, and all together. */
export async function costOfRepositories(session: Session, options: Priced): Promise<void> {
  const { api, output } = session;
  const { entries } = await api.list<Repository>('/repositories', 'repositories');
  const rows: { readonly name: string; readonly usage: KnownUsage; readonly cost: Cost }[] = [];
  for (const { name } of entries) {
    const usage = await usageOf(session, name, { days: options.days });
    if (usage) rows.push({ name, usage, cost: costOf(usage.repository, usage, options) });
    else output.say(`${name}: too large to be read in one request; it is not in the total`);
  }
  const total = rows.reduce((sum, { cost }) => sum + cost.total, 0);
  const { region, asOf } = options.prices;
  output.result({ repositories: rows, total }, () => {
    const lines = rows.map(({ name, usage: { repository }, cost }) => [
      name,
      `${repository.tags}`,
      sizeText(repository.bytes),
      repository.apportionedBytes === undefined ? '' : sizeText(repository.apportionedBytes),
      dollarText(cost.storage),
      cost.requests === undefined ? '' : dollarText(cost.requests),
      dollarText(cost.total),
    ]);
    return table(COLUMNS, [...lines, ['total', ' ', ' ', ' ', ' ', ' ', dollarText(total)]]);
  });
  output.say(`list prices of ${region} as of ${asOf}, without tax and without anything free`);
}

const COLUMNS = ['REPOSITORY', 'TAGS', 'SIZE', 'ITS PART', 'STORAGE', 'REQUESTS', 'A MONTH'];

async function usageOf(
  { api }: Session,
  name: string,
  { days, tags }: { readonly days?: number | undefined; readonly tags?: string | undefined },
): Promise<KnownUsage | undefined> {
  const query = { tags, days: days === undefined ? undefined : `${days}` };
  const usage = await api.get<Usage>(`/repositories/${name}/-/usage`, query);
  return usage.tagged && usage.repository ? (usage as KnownUsage) : undefined;
}

function costOf(amount: Amount, usage: KnownUsage, options: Priced): Cost {
  const storage = priceOfStorage(amount, options);
  const requests = usage.activity && priceOfUse(usage, options);
  return { storage, total: storage + (requests ?? 0), ...(requests !== undefined && { requests }) };
}

/** A blob that several repositories hold is paid for once: each pays its part, where that is told. */
function priceOfStorage({ bytes, apportionedBytes = bytes, metadataBytes }: Amount, options: Priced): number {
  const stored = { storedGb: apportionedBytes / GB, tableGb: metadataBytes / GB };
  return priceOf(stored, options);
}

/** What the counted days come to in a month. Which layers were new, nobody has counted: one in three. */
function priceOfUse({ tagged, activity }: KnownUsage, options: Priced): number {
  const { pushes = 0, pullLogins = 0, since = '' } = activity ?? {};
  const days = Math.max(1, (Date.now() - Date.parse(since)) / DAY_MS);
  const layers = Math.max(0, Math.round(tagged.blobsPerImage) - 1);
  const use = {
    pushes: (pushes * MONTH_DAYS) / days,
    pulls: options.tags === undefined ? (pullLogins * MONTH_DAYS) / days : 0,
    layers,
    newLayers: Math.ceil(layers / 3),
  };
  return priceOf(use, options);
}

/** Dollars a month, of what a workload has. Alarms are the registry's, and no part of it. */
export function priceOf(workload: Partial<Workload>, { downloads, lambdaMs, prices }: Priced): number {
  const quantities = quantitiesOf({ ...NOTHING, downloads, lambdaMs, ...workload });
  return billFor({ ...quantities, alarms: 0 }, prices, false).total;
}

const NOTHING: Omit<Workload, 'downloads' | 'lambdaMs'> = {
  ...{ storedGb: 0, tableGb: 0, pushes: 0, pulls: 0, layers: 1, newLayers: 0 },
  ...{ layerMb: 0, internetGb: 0, regionGb: 0, streamHost: 'none', pushBy: 'docker' },
};
