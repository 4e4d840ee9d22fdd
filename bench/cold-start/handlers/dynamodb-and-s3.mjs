import { S3Client } from '@aws-sdk/client-s3';
import { handler as readItem } from './dynamodb.mjs';

const { STOWAGE_S3_ENDPOINT: endpoint } = process.env;
const s3 = new S3Client({ endpoint, forcePathStyle: true });

/** The least that reads an item in a process that could read objects too. */
export async function handler() {
  return s3.config ? readItem() : { statusCode: 500 };
}
