import { describe, expect, it } from 'vitest';
import { UPLOAD_EXPIRY_SECONDS } from '../../functions/limits.ts';
import { onlyResource, resourcesOf, synthesize } from './synthesize.ts';

// What stands between a user's images and a mistake.

const DAY_SECONDS = 24 * 60 * 60;

const template = synthesize();
const table = onlyResource(template, 'AWS::DynamoDB::Table');
const bucket = onlyResource(template, 'AWS::S3::Bucket');

const [distribution] = resourcesOf(template, 'AWS::CloudFront::Distribution').keys();
const [bucketId] = resourcesOf(template, 'AWS::S3::Bucket').keys();
const frontDoor = {
  Effect: 'Allow',
  Principal: { Service: 'cloudfront.amazonaws.com' },
  Resource: { 'Fn::Join': ['', [{ 'Fn::GetAtt': [bucketId, 'Arn'] }, '/blobs/*']] },
  Condition: {
    StringEquals: {
      'aws:SourceArn': {
        'Fn::Join': [
          '',
          [
            'arn:',
            { Ref: 'AWS::Partition' },
            ':cloudfront::',
            { Ref: 'AWS::AccountId' },
            ':distribution/',
            { 'Fn::GetAtt': [distribution, 'Id'] },
          ],
        ],
      },
    },
  },
};

function allowedBy(of: typeof template) {
  const { Statement } = onlyResource(of, 'AWS::S3::BucketPolicy').Properties.PolicyDocument;
  return (Statement as (typeof frontDoor & { readonly Action: unknown })[]).filter(
    ({ Effect }) => Effect === 'Allow',
  );
}

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
    const alone = onlyResource(synthesize({ streamHost: 'none' }), 'AWS::S3::Bucket');
    expect(alone).toMatchObject({ DeletionPolicy: 'RetainExceptOnCreate', UpdateReplacePolicy: 'Retain' });
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

  it('refuses whoever does not come by TLS 1.2 or later', () => {
    const { Statement } = onlyResource(template, 'AWS::S3::BucketPolicy').Properties.PolicyDocument;
    const everything = { Effect: 'Deny', Principal: { AWS: '*' }, Action: 's3:*' };
    for (const Condition of [
      { Bool: { 'aws:SecureTransport': 'false' } },
      { NumericLessThan: { 's3:TlsVersion': 1.2 } },
    ]) {
      expect(Statement).toContainEqual(expect.objectContaining({ ...everything, Condition }));
    }
  });

  it('allows nobody but this front door, to write and read blobs, wherever downloads come from', () => {
    const actions = ['s3:PutObject', 's3:GetObject'];
    const [statement, ...more] = allowedBy(template);
    expect(more).toEqual([]);
    expect(statement).toEqual({ ...frontDoor, Action: expect.arrayContaining(actions) });
    expect(statement?.Action).toHaveLength(2);
    expect(allowedBy(synthesize({ downloads: 'cdn' }))).toEqual([statement]);
  });

  it('refuses the front door a key that is taken: a write must say `if-none-match`', () => {
    const { Statement } = onlyResource(template, 'AWS::S3::BucketPolicy').Properties.PolicyDocument;
    expect(Statement).toContainEqual({
      ...frontDoor,
      Effect: 'Deny',
      Action: 's3:PutObject',
      Condition: { ...frontDoor.Condition, Null: { 's3:if-none-match': 'true' } },
    });
  });

  it('refuses everybody to write a blob without `if-none-match`, its parts aside: no key is written twice', () => {
    const { Statement } = onlyResource(template, 'AWS::S3::BucketPolicy').Properties.PolicyDocument;
    expect(Statement).toContainEqual({
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: frontDoor.Resource,
      Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
    });
  });

  it('tells EventBridge what was written, by itself', () => {
    expect(bucket.Properties.NotificationConfiguration).toEqual({
      EventBridgeConfiguration: { EventBridgeEnabled: true },
    });
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
