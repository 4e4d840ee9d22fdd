import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { LIST_PRICES } from '../../cli/cost/prices.ts';
import type { ServerGroup } from '../server-group.ts';
import { digits } from '../statistics.ts';
import type { Units } from '../sweep/metered-table.ts';
import { table } from '../table.ts';
import type { Day } from './hours.ts';
import type { RetentionScale } from './life.ts';
import { liveOnDynamoDb } from './on-dynamodb.ts';
import { liveOnSqlite } from './on-sqlite.ts';
import { p99, pullsBeside } from './pulls.ts';

interface Scales {
  readonly sqlite: RetentionScale;
  readonly dynamoDb: RetentionScale;
  readonly embedded: RetentionScale;
  readonly pulls: number;
}

const DYNAMODB: RetentionScale = { images: 100, old: 10, others: 5 };

const FULL: Scales = {
  sqlite: { images: 500_000, old: 10_000, others: 50 },
  dynamoDb: DYNAMODB,
  embedded: { images: 50_000, old: 5000, others: 1 },
  pulls: 5000,
};

const QUICK: Scales = {
  sqlite: { images: 2000, old: 100, others: 50 },
  dynamoDb: DYNAMODB,
  embedded: { images: 300, old: 30, others: 1 },
  pulls: 200,
};

/** Repositories on their own, of 20 images, the large one too; they have 15 when nothing more goes. */
const MONTH_DAYS = 30;
/** From one sweep to the next, once it rests; the day before it goes to rest. */
const REST_DAYS = 45;
const IDLE = { images: 20, old: 5, others: 9, idleDays: 1 + REST_DAYS } as const satisfies RetentionScale;
const IDLE_MANY = 10_000;

const MIB = 1024 * 1024;

/** What the process may have resident that does the hourly jobs, all of it. */
const MOST_MIB = 256;

interface Place {
  readonly root: string;
  readonly workspace: string;
  readonly group: ServerGroup;
  readonly isQuick: boolean;
}

/** What retention of a large repository, and of many in which nothing changes, takes; the section of the report. Fails where what was
 *  promised does not hold, whatever the machine: for memory, for others that wait, for what is never finished. */
export async function retention({ isQuick, ...place }: Place): Promise<string> {
  const { workspace } = place;
  mkdirSync(workspace);
  const scales = isQuick ? QUICK : FULL;
  const folder = (name: string) => {
    mkdirSync(join(workspace, name));
    return join(workspace, name);
  };
  const sections = [
    '## Retention',
    livesReport('SQLite', scales.sqlite, await liveOnSqlite(folder('large'), scales.sqlite)),
    livesReport(
      "DynamoDB's stand-in",
      scales.dynamoDb,
      await liveOnDynamoDb(folder('dynamodb'), scales.dynamoDb),
    ),
    idleReport(await liveOnSqlite(folder('idle'), IDLE)),
    pullsReport(await pullsBeside(place, scales.embedded, scales.pulls), scales),
  ];
  return `${sections.join('\n\n')}\n`;
}

function livesReport(on: string, { images, old, others }: RetentionScale, days: readonly Day[]): string {
  refuseBroken(on, others, days);
  const isAlone = on === 'SQLite';
  const titles = ['day', 'what goes', 'runs', 'calls', 'read units', 'write units', 'others wait s'];
  const rows = days.map((day) => {
    const gone = Object.entries(day.gone).map(([kind, count]) => `${count} ${kind}s`);
    const counts = [day.runs, day.calls, day.reads, day.writes].map(String);
    const peak = isAlone ? [(day.peak / MIB).toFixed(0)] : [];
    return [
      `${day.day + 1}`,
      gone.join(', ') || 'nothing',
      ...counts,
      day.othersAfterMs > 0 ? (day.othersAfterMs / 1000).toFixed(0) : '–',
      ...peak,
    ];
  });
  const what = `${images} tags of two platforms each, ${old} of which go, beside ${others} repositories of 20`;
  return `On ${on}: ${what}.\n\n${table([...titles, ...(isAlone ? ['peak MiB'] : [])], rows, 2)}`;
}

/** Others are served in the run in which they are due; all that is to go goes. */
function refuseBroken(on: string, others: number, days: readonly Day[]): void {
  const last = days.at(-1);
  if (!last?.isDone || Object.keys(last.gone).length > 0) throw new Error(`on ${on} retention has no end`);
  const late = days.find(({ othersAfterMs }) => !Number.isFinite(othersAfterMs));
  if (late) throw new Error(`on ${on} one of ${others} small repositories waited on day ${late.day + 1}`);
  const large = days.find(({ peak }) => on === 'SQLite' && peak > MOST_MIB * MIB);
  if (large)
    throw new Error(`on ${on} a run held ${Math.round(large.peak / MIB)} MiB on day ${large.day + 1}`);
}

function idleReport(days: readonly Day[]): string {
  const idle = days.slice(-REST_DAYS);
  const months = (1 + IDLE.others) * (REST_DAYS / MONTH_DAYS);
  const inMonth = (amountOf: (day: Day) => number) =>
    idle.reduce((sum, day) => sum + amountOf(day), 0) / months;
  const [calls, reads, writes] = [
    inMonth((day) => day.calls),
    inMonth((day) => day.reads),
    inMonth((day) => day.writes),
  ].map(digits);
  return (
    `A repository of ${IDLE.images - IDLE.old} images in which nothing changed: ${calls} calls, ${reads} read units and ${writes} write units ` +
    `a month. ${IDLE_MANY} of them: $${(inMonth(priceOf) * IDLE_MANY).toFixed(2)} a month (${LIST_PRICES.region}, ${LIST_PRICES.asOf}).`
  );
}

function priceOf({ reads, writes }: Units): number {
  const { reads: read, writes: write } = LIST_PRICES.items;
  return (reads * read.price) / read.per + (writes * write.price) / write.per;
}

function pullsReport(
  { idle, beside }: Awaited<ReturnType<typeof pullsBeside>>,
  { embedded }: Scales,
): string {
  const [rest, run] = [p99(idle), p99(beside)];
  return (
    `Pulls of a manifest, embedded, four clients: p99 of ${digits(rest)} ms at rest, ${digits(run)} ms while the hourly job sweeps a ` +
    `repository of ${embedded.images} images, ${digits(run / rest)} of it; the goal is 2.`
  );
}
