import { streamHostKey } from '../registry/keys.ts';
import { absent, type Condition, equals, type Table } from '../storage/table.ts';

type HostState = 'stopped' | 'starting' | 'running' | 'stopping';

/** What is known of a stream host that sleeps; docs/concurrency.md has its timeline. Times are milliseconds since 1970, 0 for never. */
export interface HostItem {
  readonly state: HostState;
  /** When it came into this state. */
  readonly since: number;
  /** The lease: it does not go before that. */
  readonly until: number;
  /** Its last sign of life. */
  readonly beat: number;
  /** How often it was started. */
  readonly generation: number;
  /** When EC2 was last asked by a gate; whoever changes it may ask. */
  readonly calledAt: number;
  /** When EC2 last refused to start it. */
  readonly refusedAt: number;
  readonly rebootedAt: number;
  /** What went wrong last, when, and when somebody was told. */
  readonly trouble: string;
  readonly troubleAt: number;
  readonly toldAt: number;
}

/** Of a host that nobody has seen. */
const UNSEEN: HostItem = {
  state: 'stopped',
  since: 0,
  until: 0,
  beat: 0,
  generation: 0,
  calledAt: 0,
  refusedAt: 0,
  rebootedAt: 0,
  trouble: '',
  troubleAt: 0,
  toldAt: 0,
};

/** The item of one instance. */
export class HostRecord {
  readonly #table: Table;
  readonly #key: ReturnType<typeof streamHostKey>;

  constructor(table: Table, instance: string) {
    this.#table = table;
    this.#key = streamHostKey(instance);
  }

  async read(): Promise<HostItem> {
    return { ...UNSEEN, ...(await this.#table.get(this.#key)) };
  }

  /** Writes over what was `seen`, unless somebody has changed its state or has gone to ask EC2 since, or one of `when` fails: then
   *  `undefined`. Beats and leases are not looked at. */
  async change(
    seen: HostItem,
    set: Partial<HostItem>,
    when: readonly Condition[] = [],
  ): Promise<HostItem | undefined> {
    const isUnseen = seen.since === 0;
    const { state, since, calledAt } = seen;
    const same = isUnseen
      ? [absent]
      : [equals('state', state), equals('since', since), equals('calledAt', calledAt)];
    const attributes = isUnseen ? { ...seen, ...set } : set;
    const { committed } = await this.#table.write([
      { update: this.#key, set: { ...attributes }, when: isUnseen ? same : [...same, ...when] },
    ]);
    return committed ? { ...seen, ...set } : undefined;
  }
}
