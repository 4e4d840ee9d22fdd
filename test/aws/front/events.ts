import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_INLINE_BYTES } from '../../../functions/limits.ts';
import type { ObjectCreated } from '../s3/server.ts';
import type { Faults } from './faults.ts';

/** Of whoever owns the bucket. */
const ACCOUNT = '123456789012';

/** Which events of S3 the stack's rule hands to commit-uploads, the bucket aside. */
export const UPLOAD_EVENTS = {
  source: ['aws.s3'],
  'detail-type': ['Object Created'],
  detail: {
    object: { key: [{ prefix: 'blobs/' }] },
    $or: [
      { object: { size: [{ numeric: ['>', MAX_INLINE_BYTES] }] } },
      { requester: [{ 'anything-but': [ACCOUNT] }] },
    ],
    reason: ['PutObject'],
  },
};

/** A pattern of EventBridge: lists of what a field may be, at the places where the fields are. */
export type Pattern = { readonly [field: string]: Pattern | readonly Matcher[] | readonly Pattern[] };

type Matcher =
  | string
  | { readonly 'anything-but': readonly string[] }
  | { readonly prefix: string }
  | { readonly numeric: readonly (string | number)[] };

export interface S3EventsOptions {
  readonly bucket: string;
  readonly region: string;
  readonly faults: Faults;
  /** How long an event is on its way. */
  readonly delayMs: number;
  /** commit-uploads. */
  readonly handler: (event: unknown) => Promise<unknown>;
}

/** Lambda's, of an event that a function fails on. */
const ATTEMPTS = 3;
const RETRY_MS = 1000;

/** What carries events from S3 to a function: EventBridge with the stack's rule, and Lambda's queue behind it. */
export class S3Events {
  readonly #options: S3EventsOptions;
  readonly #under = new Set<Promise<void>>();
  readonly #end = new AbortController();

  constructor(options: S3EventsOptions) {
    this.#options = options;
  }

  tell(created: ObjectCreated): void {
    const { faults, delayMs, bucket, region } = this.#options;
    const event = eventOf(created, bucket, region);
    if (faults.has('events-lost') || !matches(UPLOAD_EVENTS as Pattern, event)) return;
    const delivery = this.#deliver(event, faults.number('events-delayed') ?? delayMs).catch(
      (error: unknown) => {
        if (!this.#end.signal.aborted) process.stderr.write(`stowage: an event of S3 is lost: ${error}\n`);
      },
    );
    this.#under.add(delivery);
    void delivery.finally(() => this.#under.delete(delivery));
  }

  /** Events that are still on their way are lost; what a function has begun, it ends. */
  async close(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#under);
  }

  async #deliver(event: object, delayMs: number): Promise<void> {
    const { signal } = this.#end;
    await sleep(delayMs, undefined, { signal });
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#options.handler(JSON.parse(JSON.stringify(event)));
        return;
      } catch (error) {
        if (attempt === ATTEMPTS || signal.aborted) throw error;
      }
      await sleep(RETRY_MS * attempt, undefined, { signal });
    }
  }
}

/** What EventBridge compares as a number, in its older versions. */
const MAX_COMPARED = 5.0e9;

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html */
function eventOf(
  { key, size, eTag, sequencer, reason, requester = ACCOUNT }: ObjectCreated,
  bucket: string,
  region: string,
) {
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Object Created',
    source: 'aws.s3',
    account: '123456789012',
    time: new Date().toISOString(),
    region,
    resources: [`arn:aws:s3:::${bucket}`],
    detail: {
      version: '0',
      bucket: { name: bucket },
      object: { key, size, etag: eTag, sequencer },
      'request-id': randomUUID(),
      requester,
      'source-ip-address': '127.0.0.1',
      reason,
    },
  };
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html */
export function matches(pattern: Pattern, event: unknown): boolean {
  return Object.entries(pattern).every(([field, wanted]) => {
    if (field === '$or') return (wanted as readonly Pattern[]).some((each) => matches(each, event));
    const value = (Object(event) as Record<string, unknown>)[field];
    return isList(wanted)
      ? wanted.some((matcher) => isMatch(matcher, value))
      : matches(wanted as Pattern, value);
  });
}

const isList = (wanted: Pattern[string]): wanted is readonly Matcher[] => Array.isArray(wanted);

function isMatch(matcher: Matcher, value: unknown): boolean {
  if (typeof matcher === 'string') return matcher === value;
  if ('prefix' in matcher) return `${value}`.startsWith(matcher.prefix);
  if ('anything-but' in matcher) return !matcher['anything-but'].includes(`${value}`);
  const [operator, bound] = matcher.numeric;
  if (operator !== '>' || matcher.numeric.length !== 2) throw new Error(`not implemented: ${operator}`);
  return typeof value === 'number' && value <= MAX_COMPARED && value > Number(bound);
}
