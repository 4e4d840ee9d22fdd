import { ITEM_NAMES, type ItemName } from './prices.ts';
import {
  type ImageShape,
  type Lane,
  type Pusher,
  passesCloudFront,
  pullSteps,
  pushSteps,
  type Step,
} from './requests.ts';

/** A month of a registry. A GB is 2^30 bytes, as S3 bills it, an MB 2^20. */
export interface Workload extends ImageShape {
  readonly storedGb: number;
  /** Of the table. */
  readonly tableGb: number;
  readonly pushes: number;
  readonly pulls: number;
  /** GB that are downloaded to the internet. */
  readonly internetGb: number;
  /** GB that are downloaded from within the region. */
  readonly regionGb: number;
  readonly downloads: 's3' | 'cdn';
  readonly streamHost: 'none' | 'instance';
  readonly pushBy: Pusher;
  /** How long a request keeps Lambda. */
  readonly lambdaMs: number;
}

/** How much of each thing that has a price. */
export type Quantities = Readonly<Record<ItemName, number>>;

const MB_IN_GB = 1024;

/** lib/registry-functions.ts: GB of memory of the function that answers, and of the one that finishes uploads. */
export const API_GB = 1;
export const COMMIT_GB = 0.5;

/** What one run writes to its log: a line of ours of some 470 bytes, three of Lambda's, and 26 bytes a line that
 *  CloudWatch adds. */
const LOG_BYTES = 900;
const GB = 2 ** 30;

/** The gateway counts a request for each 512 KB that it carries. */
const GATEWAY_MB = 0.5;

/** An average month; the size of the instance's volume is lib/stream-host.ts's. */
const HOURS = 730;
const VOLUME_GB = 8;

/** lib/alarms.ts: without and with a stream host. */
export const ALARMS = { none: 10, instance: 13 } as const;

const NOTHING = Object.fromEntries(ITEM_NAMES.map((name) => [name, 0])) as Record<ItemName, number>;

/** What the workload needs, without what ECR would bill for it. */
export function quantitiesOf(workload: Workload): Quantities {
  const { pushes, pulls, newLayers, layerMb, downloads, internetGb, regionGb, pushBy } = workload;
  const sum = { ...NOTHING };
  for (const step of pullSteps(workload)) add(sum, step, pulls * step.times, workload);
  for (const step of pushSteps(workload, pushBy)) add(sum, step, pushes * step.times, workload);
  const cdn = downloads === 'cdn';
  return {
    ...sum,
    ...resting(workload),
    events: sum.puts, // the bucket tells of each object, whether anything listens or not
    uploads: passesCloudFront(workload, pushBy) ? (pushes * newLayers * layerMb) / MB_IN_GB : 0,
    cdn: cdn ? internetGb + regionGb : 0,
    egress: cdn ? 0 : internetGb,
  };
}

/** What is paid for when nobody comes. */
function resting({ storedGb, tableGb, streamHost }: Workload) {
  const hosts = streamHost === 'instance' ? 1 : 0;
  return {
    storage: storedGb,
    table: tableGb,
    backup: tableGb,
    instance: hosts * HOURS,
    volume: hosts * VOLUME_GB,
    alarms: ALARMS[streamHost],
  };
}

/** The same registry in a month in which nothing is pushed or pulled. */
export const idle = (workload: Workload): Workload => ({
  ...workload,
  pushes: 0,
  pulls: 0,
  internetGb: 0,
  regionGb: 0,
});

/** What ECR bills for the same: requests are free, and so are downloads in the region. */
export const ecrQuantities = ({ storedGb, internetGb }: Workload): Quantities => ({
  ...NOTHING,
  ecrStorage: storedGb,
  ecrEgress: internetGb,
});

/** What a request costs on its way, besides what it asks of table and bucket. */
function passing(lane: Lane, { refused, body = 0 }: Step, { downloads, lambdaMs }: Workload) {
  const seen = { edgeRequests: 1, edgeRuns: refused ? 1 : 2 };
  const run = (memory: number) => ({
    runs: 1,
    compute: (memory * lambdaMs) / 1000,
    logs: LOG_BYTES / GB,
  });
  const answered = { ...seen, gateway: Math.max(1, Math.ceil(body / GATEWAY_MB)), ...run(API_GB) };
  switch (lane) {
    case 'edge':
    case 's3 upload':
      return { ...seen, edgeKeys: 1 };
    case 'api':
      return { ...answered, edgeKeys: 1 };
    case 'token':
      return answered;
    case 'event':
      return run(COMMIT_GB);
    case 's3 alone':
    case 'within':
      return {};
    case 'download':
      // The function that sees requests does not see these. As if CloudFront kept none of them.
      return { gets: 1, ...(downloads === 'cdn' && { edgeRequests: 1, edgeRuns: 1 }) };
  }
}

function add(sum: Record<ItemName, number>, step: Step, times: number, workload: Workload): void {
  const parts: Partial<Record<ItemName, number>>[] = [step.units ?? {}, passing(step.lane, step, workload)];
  for (const part of parts) {
    for (const [name, amount] of Object.entries(part)) sum[name as ItemName] += times * amount;
  }
}
