import { App } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { ENV } from '../../functions/environment.ts';
import { settingsFrom } from '../../lib/settings.ts';
import { functionThat, statementsOn } from './permissions.ts';
import {
  COMPANY,
  CONTEXT,
  EVERYTHING,
  KEY,
  onlyResource,
  resourcesOf,
  stackWith,
  synthesize,
} from './synthesize.ts';

// A registry in a company's account: beside others, with data that was there before, and by rules that are not ours.

const settings = (context: Record<string, unknown>, region?: string) =>
  settingsFrom(new App({ context: { ...CONTEXT, ...context } }).node, region);

describe('several registries in one account', () => {
  /** Whatever a template gives a name, or a reference of its own. */
  function namesIn(value: unknown, key = ''): string[] {
    if (
      /(^|[a-z])(Name|CallerReference|Parameter)$/.test(key) &&
      /Stowage|images/.test(JSON.stringify(value))
    )
      return [JSON.stringify(value)];
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([name, each]) => namesIn(each, name));
  }
  const resourcesIn = (name: string) =>
    [...resourcesOf(synthesize(EVERYTHING, name)).values()].filter(({ Type }) => !/VPC|EC2/.test(Type));

  it.each([
    ['Stowage', 'images'],
    ['images', 'images-2'],
    ['images2', 'images-2'],
  ])('have no name in common: %s and %s', (one, other) => {
    const [first, second] = [one, other].map((name) =>
      resourcesIn(name).flatMap(({ Properties }) => namesIn(Properties)),
    );
    expect(first?.length).toBeGreaterThan(10);
    expect(first?.filter((name) => second?.includes(name))).toEqual([]);
  });
});

describe('data that was there before', () => {
  const kept = synthesize({ tableName: 'kept-table', bucketName: 'kept-bucket' });

  it('is used, and none is made', () => {
    kept.resourceCountIs('AWS::DynamoDB::Table', 0);
    kept.resourceCountIs('AWS::S3::Bucket', 0);
    const { Variables } = functionThat(/answers every request/, kept).properties.Environment;
    expect(Variables).toMatchObject({ [ENV.table]: 'kept-table', [ENV.bucket]: 'kept-bucket' });
    kept.hasOutput('TableName', { Value: 'kept-table' });
  });

  it('has the policy of a bucket that is made', () => {
    const statementsIn = (of: typeof kept, bucket: string) => {
      const { PolicyDocument } = onlyResource(of, 'AWS::S3::BucketPolicy').Properties;
      const text = JSON.stringify(PolicyDocument.Statement).replaceAll(
        /\{"Fn::GetAtt":\["BlobsBucket\w+","Arn"\]\}/g,
        '"ARN"',
      );
      return text
        .replaceAll(bucket, '')
        .replaceAll(/FrontDistribution\w+/g, 'D')
        .match(/"Effect":"\w+"/g);
    };
    expect(statementsIn(kept, 'kept-bucket')).toEqual(statementsIn(synthesize(), ''));
    expect(onlyResource(kept, 'AWS::S3::BucketPolicy').Properties.Bucket).toBe('kept-bucket');
  });

  it('is never called a trial', () => {
    expect(() => settings({ keepData: 'false', tableName: 'kept-table' })).toThrow(
      'keepData=false is for a table and a bucket that the stack makes',
    );
  });
});

describe('a key of the account', () => {
  const template = synthesize({ kmsKeyArn: KEY });

  it('encrypts table and bucket', () => {
    expect(onlyResource(template, 'AWS::DynamoDB::Table').Properties.SSESpecification).toMatchObject({
      SSEEnabled: true,
      SSEType: 'KMS',
      KMSMasterKeyId: KEY,
    });
    const [rule] = onlyResource(template, 'AWS::S3::Bucket').Properties.BucketEncryption
      .ServerSideEncryptionConfiguration;
    expect(rule).toMatchObject({
      BucketKeyEnabled: true,
      ServerSideEncryptionByDefault: { KMSMasterKeyID: KEY },
    });
  });

  it.each([/answers every request/, /time has come/, /nothing uses/, /went past/])(
    'may be used by the function that "%s", for these alone',
    (does) => {
      const statements = statementsOn(functionThat(does, template).statements, 'kms');
      expect(statements.map(({ Resource }) => Resource)).toEqual([KEY, KEY]);
      for (const { Condition } of statements)
        expect(JSON.stringify(Condition)).toMatch(/kms:ViaService.*(s3|dynamodb)\./);
    },
  );

  it('of another region is refused', () => {
    expect(() => settings({ kmsKeyArn: KEY }, 'eu-central-1')).toThrow(
      'kmsKeyArn names a key of another region',
    );
  });
});

it("a company's rules hold for every role, the CDK's own too", () => {
  const template = synthesize({ ...EVERYTHING, ...COMPANY });
  const roles = [...resourcesOf(template, 'AWS::IAM::Role').values()];
  expect(roles.length).toBeGreaterThan(7);
  for (const { Properties } of roles)
    expect(Properties).toMatchObject({
      PermissionsBoundary: COMPANY.permissionsBoundaryArn,
      Path: '/registry/',
    });
  expect(onlyResource(template, 'AWS::IAM::InstanceProfile').Properties.Path).toBe('/registry/');
});

it('a bootstrap of their own is deployed with', () => {
  const { synthesizer } = stackWith({ qualifier: 'stowage' });
  expect(synthesizer.bootstrapQualifier).toBe('stowage');
});
