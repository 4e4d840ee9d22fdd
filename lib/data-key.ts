import { Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Worker } from './registry-function.ts';

/** What reading and writing encrypted data takes. */
const ACTIONS = [
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

/** Lets the worker have a store's data encrypted by a key of the account, and decrypted, and use the key for nothing else. */
export function allowKey(worker: Worker, keyArn: string | undefined, service: 'dynamodb' | 's3'): void {
  if (keyArn === undefined) return;
  const { region, urlSuffix } = Stack.of(worker);
  const conditions = { StringEquals: { 'kms:ViaService': `${service}.${region}.${urlSuffix}` } };
  worker.allow(new PolicyStatement({ actions: ACTIONS, resources: [keyArn], conditions }));
}
