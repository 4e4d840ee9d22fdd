import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { handler as readItem } from './dynamodb.mjs';

const { STOWAGE_SSM_ENDPOINT: endpoint, STOWAGE_SIGNING_KEYS: Name } = process.env;
const ssm = new SSMClient({ endpoint });

/** The least that a pull of a manifest asks of AWS: the signing keys, and an item. */
export async function handler() {
  await ssm.send(new GetParameterCommand({ Name, WithDecryption: true }));
  return readItem();
}
