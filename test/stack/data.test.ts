import { describe, expect, it } from 'vitest';
import { UPLOAD_EXPIRY_SECONDS } from '../../functions/limits.ts';
import { onlyResource, synthesize } from './synthesize.ts';

// What stands between a user's images and a mistake.

const DAY_SECONDS = 24 * 60 * 60;

const template = synthesize();
const table = onlyResource(template, 'AWS::DynamoDB::Table');
const bucket = onlyResource(template, 'AWS::S3::Bucket');

describe('the table', () => {
  it('outlives the stack and a change that would replace it', () => {
    expect(table).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
  });

  it('cannot be deleted by mistake', () => {
    expect(table.Properties.DeletionProtectionEnabled).toBe(true);
  });

  it('can be restored to any second of the last 35 days', () => {
    expect(table.Properties.PointInTimeRecoverySpecification).toEqual({ PointInTimeRecoveryEnabled: true });
  });

  it('has the keys and the expiry of the data model', () => {
    expect(table.Properties.KeySchema).toEqual([
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ]);
    expect(table.Properties.AttributeDefinitions).toEqual([
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'S' },
    ]);
    expect(table.Properties.TimeToLiveSpecification).toEqual({ AttributeName: 'expiresAt', Enabled: true });
  });
});

describe('the bucket', () => {
  it('outlives the stack and a change that would replace it', () => {
    expect(bucket).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
  });

  it('is never public', () => {
    expect(bucket.Properties.PublicAccessBlockConfiguration).toEqual({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    });
    expect(bucket.Properties.OwnershipControls).toEqual({
      Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }],
    });
  });

  it('is encrypted', () => {
    expect(bucket.Properties.BucketEncryption.ServerSideEncryptionConfiguration).toEqual([
      { ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } },
    ]);
  });

  it('refuses whoever does not come by TLS 1.2 or later, and allows nobody', () => {
    const { Statement } = onlyResource(template, 'AWS::S3::BucketPolicy').Properties.PolicyDocument;
    const everything = { Effect: 'Deny', Principal: { AWS: '*' }, Action: 's3:*' };
    expect(Statement).toEqual([
      expect.objectContaining({ ...everything, Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
      expect.objectContaining({ ...everything, Condition: { NumericLessThan: { 's3:TlsVersion': 1.2 } } }),
    ]);
  });

  it('lets go of what an upload left behind, and only after the upload has expired', () => {
    const days = UPLOAD_EXPIRY_SECONDS / DAY_SECONDS + 1;
    expect(bucket.Properties.LifecycleConfiguration.Rules).toEqual([
      expect.objectContaining({
        Status: 'Enabled',
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: days },
      }),
      expect.objectContaining({ Status: 'Enabled', Prefix: 'uploads/', ExpirationInDays: days }),
    ]);
  });

  it('expires nothing else: no rule reaches a finished blob', () => {
    const rules = bucket.Properties.LifecycleConfiguration.Rules as readonly object[];
    const expiring = rules.filter((rule) =>
      Object.keys(rule).some((key) => /Expiration|Transition/.test(key)),
    );
    expect(expiring).toEqual([expect.objectContaining({ Prefix: 'uploads/' })]);
  });
});

it('a trial, and only a trial, takes its data with it', () => {
  const trial = synthesize({ keepData: false });
  expect(onlyResource(trial, 'AWS::S3::Bucket').DeletionPolicy).toBe('Delete');
  const { DeletionPolicy, Properties } = onlyResource(trial, 'AWS::DynamoDB::Table');
  expect(DeletionPolicy).toBe('Delete');
  expect(Properties.DeletionProtectionEnabled).toBe(false);
});
