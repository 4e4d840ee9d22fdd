import { setTimeout } from 'node:timers/promises';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDbTable } from '../../functions/storage/dynamodb/dynamodb-table.ts';
import { fullJitter } from '../../functions/storage/pause.ts';
import { DirectoryBlobStore } from '../../local/directory-blob-store.ts';
import { startDynamoDb } from '../../test/aws/dynamodb/server.ts';
import { clientOf, createTable } from '../../test/aws/dynamodb/table.ts';
import type { Units } from '../sweep/metered-table.ts';
import { fillTable } from './fill.ts';
import { type Day, MovedRegistry } from './hours.ts';
import { estatesOf, live, type RetentionScale } from './life.ts';

/** The same on DynamoDB's stand-in, whose own words for what each request used are summed up. */
export async function liveOnDynamoDb(directory: string, scale: RetentionScale): Promise<readonly Day[]> {
  const server = await startDynamoDb();
  if (!server) throw new Error('no DynamoDB server for this platform; name one in STOWAGE_TEST_DYNAMODB');
  const [client, counting] = [clientOf(server.endpoint), clientOf(server.endpoint)];
  try {
    const tableName = await createTable(client);
    const pause = fullJitter(Math.random, setTimeout);
    const table = new DynamoDbTable({ client, tableName, pause });
    const counted = new DynamoDbTable({ client: counting, tableName, pause });
    const now = Date.now();
    await fillTable({ table }, estatesOf(scale), now);
    const blobs = await DirectoryBlobStore.open(directory);
    return await live(new MovedRegistry({ counted, units: unitsOf(counting), table, blobs }, now), scale);
  } finally {
    client.destroy();
    counting.destroy();
    await server.stop();
  }
}

interface Consumed {
  readonly CapacityUnits?: number;
}

/** What the client's requests use from now on. */
function unitsOf(client: DynamoDBClient): Units {
  const units = { calls: 0, reads: 0, writes: 0 };
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        Object.assign(args.input, { ReturnConsumedCapacity: 'TOTAL' });
        units.calls += 1;
        const answer = await next(args);
        const { ConsumedCapacity = [] } = answer.output as {
          ConsumedCapacity?: Consumed | readonly Consumed[];
        };
        const used = [ConsumedCapacity].flat().reduce((sum, { CapacityUnits = 0 }) => sum + CapacityUnits, 0);
        if (/Put|Update|Delete|Write/.test(commandName)) units.writes += used;
        else units.reads += used;
        return answer;
      },
    { step: 'initialize' },
  );
  return units;
}
