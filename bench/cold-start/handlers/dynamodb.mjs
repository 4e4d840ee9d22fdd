import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';

const { STOWAGE_DYNAMODB_ENDPOINT: endpoint, STOWAGE_TABLE: TableName } = process.env;
const client = new DynamoDBClient({ endpoint });

/** The least that reads an item. */
export async function handler() {
  await client.send(new GetItemCommand({ TableName, Key: { pk: { S: 'none' }, sk: { S: 'none' } } }));
  return { statusCode: 200 };
}
