import { dynamoDbOperation, s3Operation } from '../operations.ts';
import { type CallCounts, type Distance, startProxy } from '../proxy.ts';

// The proxies in a process of their own. Arguments: where S3 and DynamoDB are. Says where the proxies are, and then
// answers each distance it is told with the calls since the one before.

/** How far away the stores are to be; nothing where they are as near as they are. */
export interface Distances {
  readonly s3?: Distance;
  readonly dynamoDb?: Distance;
}

export interface ProxyUrls {
  readonly s3: string;
  readonly dynamoDb: string;
}

const [s3Url = '', dynamoDbUrl = ''] = process.argv.slice(2);
const s3 = await startProxy(s3Url, s3Operation);
const dynamoDb = await startProxy(dynamoDbUrl, dynamoDbOperation);

process.on('message', (distances: Distances) => {
  const counts: CallCounts = { ...s3.counts, ...dynamoDb.counts };
  Object.assign(s3, { distance: distances.s3, counts: {} });
  Object.assign(dynamoDb, { distance: distances.dynamoDb, counts: {} });
  process.send?.(counts);
});
process.on('disconnect', () => process.exit(0));

const urls: ProxyUrls = { s3: s3.url, dynamoDb: dynamoDb.url };
process.send?.(urls);
