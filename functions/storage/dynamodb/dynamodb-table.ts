import { randomUUID } from 'node:crypto';
import {
  BatchGetItemCommand,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { tooBusy } from '../../oci/host-errors.ts';
import type { Pause } from '../pause.ts';
import {
  type Attributes,
  checkOperations,
  type Item,
  type Key,
  MAX_OPERATIONS,
  type Operation,
  type Outcome,
  type Query,
  type Table,
} from '../table.ts';
import { fromStoredItem, type StoredItem, toStoredKey } from './attributes.ts';
import { lostRaces, refusal } from './cancellation.ts';
import { rangeOf } from './range.ts';
import { MAX_ATTEMPTS, patiently } from './retry.ts';
import { type Action, actionsOf } from './transaction.ts';

export interface DynamoDbTableOptions {
  /** Best built with `maxAttempts: 1`: the table repeats calls itself, and two who do so multiply. */
  readonly client: DynamoDBClient;
  /** Has the key `pk`, `sk`, both strings; its time to live is read from `expiresAt`. */
  readonly tableName: string;
  readonly pause: Pause;
  /** @default none: nothing ends a call but its outcome */
  readonly signal?: AbortSignal;
  /** Whether conflicts are left to the caller. @default false */
  readonly isHasty?: boolean;
}

/** A `Table` in DynamoDB. Reads are strongly consistent. Where DynamoDB stays busy for about 5 s, a call is refused
 *  with TOOMANYREQUESTS. */
export class DynamoDbTable implements Table {
  readonly #options: DynamoDbTableOptions;
  readonly #client: DynamoDBClient;
  readonly #tableName: string;
  readonly #pause: Pause;

  constructor(options: DynamoDbTableOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#tableName = options.tableName;
    this.#pause = options.pause;
  }

  until(signal: AbortSignal): DynamoDbTable {
    return new DynamoDbTable({ ...this.#options, signal });
  }

  hasty(): DynamoDbTable {
    return new DynamoDbTable({ ...this.#options, isHasty: true });
  }

  async get(key: Key): Promise<Attributes | undefined> {
    const input = { TableName: this.#tableName, Key: toStoredKey(key), ConsistentRead: true };
    const { Item: item } = await this.#patiently((cut) => this.#client.send(new GetItemCommand(input), cut));
    return item && fromStoredItem(item).attributes;
  }

  async getMany(keys: readonly Key[]): Promise<readonly (Attributes | undefined)[]> {
    if (keys.length > MAX_OPERATIONS) throw new RangeError(`getMany takes at most ${MAX_OPERATIONS} keys`);
    const found = new Map<string, Attributes>();
    let wanted = [...new Map(keys.map((key) => [idOf(key), toStoredKey(key)])).values()];
    for (let attempt = 1; wanted.length > 0; ) {
      const { items, left } = await this.#getBatch(wanted);
      for (const { key, attributes } of items) found.set(idOf(key), attributes);
      attempt = left.length < wanted.length ? 1 : attempt + 1;
      if (attempt > MAX_ATTEMPTS) throw tooBusy();
      if (left.length > 0) await this.#pause(attempt);
      wanted = left;
    }
    return keys.map((key) => found.get(idOf(key)));
  }

  async query(query: Query): Promise<readonly Item[]> {
    const range = rangeOf(query);
    const items: Item[] = [];
    let input = range && {
      TableName: this.#tableName,
      ConsistentRead: true,
      ...(query.keysOnly && { ProjectionExpression: 'pk, sk' }),
      ...range,
    };
    // A page ends at 1 MB, whatever the limit.
    while (input && items.length < query.limit) {
      const command = new QueryCommand({ ...input, Limit: query.limit - items.length });
      const page = await this.#patiently((cut) => this.#client.send(command, cut));
      items.push(...(page.Items ?? []).map(fromStoredItem));
      input = page.LastEvaluatedKey && { ...input, ExclusiveStartKey: page.LastEvaluatedKey };
    }
    return items;
  }

  async write(operations: readonly Operation[]): Promise<Outcome> {
    checkOperations(operations);
    const actions = actionsOf(this.#tableName, operations);
    const [first, ...others] = actions;
    if (!first) return { committed: true };
    try {
      const written = others.length === 0 && (await this.#writeAlone(first));
      if (!written) await this.#transact(actions);
      return { committed: true };
    } catch (error) {
      const failed = lostRaces(error, actions);
      if (failed.length === 0) throw refusal(error, operations, actions);
      return { committed: false, failed };
    }
  }

  /** One item, whatever was there, needs no transaction and costs half. An attempt may be carried out again, and late, even after
   *  what others wrote since; who minds has a condition: docs/concurrency.md lists who does not. `false` where it takes a
   *  transaction. */
  async #writeAlone({ item: { Put, Delete } }: Action): Promise<boolean> {
    if (Put && !Put.ConditionExpression) {
      const { TableName, Item } = Put;
      await this.#patiently((cut) => this.#client.send(new PutItemCommand({ TableName, Item }), cut));
      return true;
    }
    if (Delete && !Delete.ConditionExpression) {
      const { TableName, Key } = Delete;
      await this.#patiently((cut) => this.#client.send(new DeleteItemCommand({ TableName, Key }), cut));
      return true;
    }
    return false;
  }

  /** A write whose answer was lost may have happened, and its own conditions no longer hold then. One token for all
   *  attempts: DynamoDB remembers for 10 minutes what it committed under it, answers success, and writes nothing. */
  async #transact(actions: readonly Action[]): Promise<void> {
    const input = { TransactItems: actions.map(({ item }) => item), ClientRequestToken: randomUUID() };
    await this.#patiently((cut) => this.#client.send(new TransactWriteItemsCommand(input), cut));
  }

  async #getBatch(
    keys: StoredItem[],
  ): Promise<{ readonly items: readonly Item[]; readonly left: StoredItem[] }> {
    const input = { RequestItems: { [this.#tableName]: { Keys: keys, ConsistentRead: true } } };
    const { Responses = {}, UnprocessedKeys = {} } = await this.#patiently((cut) =>
      this.#client.send(new BatchGetItemCommand(input), cut),
    );
    return {
      items: (Responses[this.#tableName] ?? []).map(fromStoredItem),
      left: UnprocessedKeys[this.#tableName]?.Keys ?? [],
    };
  }

  #patiently<T>(call: (cut: { readonly abortSignal?: AbortSignal }) => Promise<T>): Promise<T> {
    const { signal, isHasty = false, pause } = this.#options;
    const cut = signal ? { abortSignal: signal } : {};
    return patiently({ pause, signal, isHasty }, () => call(cut));
  }
}

const idOf = ({ partition, sort }: Key) => JSON.stringify([partition, sort]);
