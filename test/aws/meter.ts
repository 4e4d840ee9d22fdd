import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { AwsClient } from '../../functions/aws-clients.ts';
import { observe } from './observe.ts';

/** What AWS bills for what was asked of it. */
export interface Billed {
  /** `2 GetItem, PutObject`, in the order of the first call of each kind. */
  readonly calls: string;
  /** DynamoDB's request units, as it told them with each answer. */
  readonly reads: number;
  readonly writes: number;
  /** S3's requests at the price of a PUT, and at that of a GET; deletes are free. */
  readonly puts: number;
  readonly gets: number;
}

/** https://aws.amazon.com/s3/pricing/: PUT, COPY, POST and LIST are one class, all others but DELETE the other. */
const PUT_CLASS =
  /^(?:PutObject|CopyObject|CreateMultipartUpload|UploadPart|CompleteMultipartUpload|List.*)$/;
const GET_CLASS = /^(?:GetObject|HeadObject)$/;

const WRITES = /^(?:PutItem|DeleteItem|UpdateItem|TransactWriteItems|BatchWriteItem)Command$/;

interface Consumed {
  readonly CapacityUnits?: number | undefined;
}

/** Counts what its clients ask of AWS, and what is billed for it. */
export class Meter {
  #calls: string[] = [];
  #reads = 0;
  #writes = 0;
  readonly #pending = new Set<Promise<unknown>>();

  follow(client: AwsClient): void {
    observe([client], (operation) => {
      this.#calls.push(operation);
      return undefined;
    });
    if (client instanceof DynamoDBClient) this.#askForUnits(client);
  }

  /** What a run is billed, with what it has begun and did not wait for. */
  async of(run: () => Promise<unknown>): Promise<Billed> {
    await this.#settle();
    this.#calls = [];
    this.#reads = 0;
    this.#writes = 0;
    await run();
    await this.#settle();
    return {
      calls: summary(this.#calls),
      reads: this.#reads,
      writes: this.#writes,
      puts: this.#calls.filter((call) => PUT_CLASS.test(call)).length,
      gets: this.#calls.filter((call) => GET_CLASS.test(call)).length,
    };
  }

  async #settle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
  }

  #askForUnits(client: DynamoDBClient): void {
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          Object.assign(args.input, { ReturnConsumedCapacity: 'TOTAL' });
          const answer = next(args);
          this.#pending.add(answer);
          try {
            const result = await answer;
            this.#count(
              `${commandName}`,
              (result.output as { ConsumedCapacity?: Consumed }).ConsumedCapacity,
            );
            return result;
          } finally {
            this.#pending.delete(answer);
          }
        },
      { step: 'initialize' },
    );
  }

  #count(command: string, consumed: Consumed | readonly Consumed[] | undefined): void {
    if (!consumed) throw new Error(`${command}: the server did not tell the units`);
    const units = [consumed].flat().reduce((sum, { CapacityUnits = 0 }) => sum + CapacityUnits, 0);
    if (WRITES.test(command)) this.#writes += units;
    else this.#reads += units;
  }
}

function summary(calls: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const operation of calls) counts.set(operation, (counts.get(operation) ?? 0) + 1);
  const parts = [...counts].map(([operation, count]) => (count === 1 ? operation : `${count} ${operation}`));
  return parts.join(', ') || 'none';
}
