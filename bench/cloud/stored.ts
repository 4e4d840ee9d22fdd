import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { ENV } from '../../functions/environment.ts';
import { fromStoredItem } from '../../functions/storage/dynamodb/attributes.ts';
import { itemBytes } from '../../functions/storage/item-size.ts';
import { clientOf } from '../../test/aws/dynamodb/table.ts';
import { BUCKET, CREDENTIALS, REGION } from './settings.ts';
import type { CloudStores } from './stores.ts';

/** What lies in the stores. */
export interface Stored {
  readonly objects: number;
  readonly objectBytes: number;
  readonly items: number;
  readonly itemBytes: number;
}

/** Counts all of it; the bytes of items as DynamoDB bills them. */
export async function countStored({ s3Url, environment }: CloudStores): Promise<Stored> {
  return { ...(await countObjects(s3Url)), ...(await countItems(environment)) };
}

export const difference = (after: Stored, before: Stored): Stored => ({
  objects: after.objects - before.objects,
  objectBytes: after.objectBytes - before.objectBytes,
  items: after.items - before.items,
  itemBytes: after.itemBytes - before.itemBytes,
});

async function countObjects(endpoint: string) {
  const s3 = new S3Client({ endpoint, region: REGION, credentials: CREDENTIALS, forcePathStyle: true });
  let [objects, objectBytes] = [0, 0];
  for (let ContinuationToken: string | undefined, more = true; more; ) {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, ContinuationToken }));
    for (const { Size = 0 } of page.Contents ?? []) objectBytes += Size;
    objects += page.Contents?.length ?? 0;
    ContinuationToken = page.NextContinuationToken;
    more = page.IsTruncated === true;
  }
  s3.destroy();
  return { objects, objectBytes };
}

async function countItems(environment: Readonly<Record<string, string>>) {
  const client = clientOf(environment[ENV.tableEndpoint] ?? '');
  const { Items = [], LastEvaluatedKey } = await client.send(
    new ScanCommand({ TableName: environment[ENV.table] }),
  );
  client.destroy();
  if (LastEvaluatedKey) throw new Error('the table has more items than one scan reads');
  const stored = Items.map(fromStoredItem);
  const bytes = stored.reduce((sum, { key, attributes }) => sum + itemBytes(key, attributes), 0);
  return { items: stored.length, itemBytes: bytes };
}
