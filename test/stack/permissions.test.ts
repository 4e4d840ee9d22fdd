import { describe, expect, it } from 'vitest';
import {
  actionsOn,
  allowedBy,
  functionThat,
  list,
  parametersFor,
  servicesOf,
  statementsOn,
} from './permissions.ts';
import { EVERYTHING, resourcesOf, synthesize } from './synthesize.ts';

const template = synthesize({ alarmEmail: 'ops@example.com' });
const withEverything = synthesize(EVERYTHING);

const api = functionThat(/answers every request/, template);
const sweep = functionThat(/nothing uses any more/, template);
const expire = functionThat(/time has come/, template);
const rotateKeys = functionThat(/access tokens are signed/, template);
const commitUploads = functionThat(/went past the registry/, template);
const frontKeys = functionThat(/secret of the front door/, template);

describe('permissions', () => {
  describe.each([
    ['by default', template],
    ['with every option', withEverything],
  ])('%s', (_, of) => {
    const allowed = allowedBy(of);

    it('name every action', () => {
      expect(allowed.length).toBeGreaterThan(5);
      expect(allowed.flatMap(({ Action }) => list(Action)).filter((action) => action.includes('*'))).toEqual(
        [],
      );
    });

    it('name every resource; of objects, whose keys nobody can know, the prefix, and of a function its versions', () => {
      const resources = allowed
        .flatMap(({ Resource }) => list(Resource))
        .map((value) => JSON.stringify(value));
      const wide = resources.filter((resource) => resource.includes('*'));
      const known =
        /"Arn"\]\},"\/(blobs|uploads)\/\*"\]\]\}$|\["RotateKeysHandler\w+","Arn"\]\},":\*"\]\]\}$/;
      expect(wide.filter((resource) => !known.test(resource))).toEqual([]);
    });
  });

  it('come from no policy of AWS', () => {
    for (const { Properties } of resourcesOf(withEverything, 'AWS::IAM::Role').values()) {
      expect(Properties).not.toHaveProperty('ManagedPolicyArns');
    }
  });

  it('of the API are to read and write items and objects', () => {
    expect(actionsOn(api.statements, 'dynamodb').sort()).toEqual([
      'dynamodb:BatchGetItem',
      'dynamodb:ConditionCheckItem',
      'dynamodb:DeleteItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
    ]);
    expect(actionsOn(api.statements, 's3').sort()).toEqual([
      's3:AbortMultipartUpload',
      's3:DeleteObject',
      's3:GetObject',
      's3:ListBucket',
      's3:ListMultipartUploadParts',
      's3:PutObject',
    ]);
  });

  it('of the hourly job are to work off the outbox: it reads no image and writes none', () => {
    expect(actionsOn(expire.statements, 'dynamodb').sort()).toEqual([
      'dynamodb:DeleteItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
    ]);
    expect(actionsOn(expire.statements, 's3')).toEqual(['s3:DeleteObject']);
  });

  it('of the sweep are to change the table and to read manifests: it deletes no object itself', () => {
    expect(actionsOn(sweep.statements, 's3').sort()).toEqual(['s3:GetObject', 's3:ListBucket']);
    expect(actionsOn(sweep.statements, 'dynamodb')).toContain('dynamodb:DeleteItem');
    expect(servicesOf(sweep.statements)).toEqual(new Set(['dynamodb', 'logs', 's3']));
  });

  it('of the sweep and of the function that finishes uploads are for blobs: neither sees the tails of uploads', () => {
    for (const { statements } of [sweep, commitUploads]) {
      const resources = JSON.stringify(statementsOn(statements, 's3').map(({ Resource }) => Resource));
      expect(resources).toContain('/blobs/*');
      expect(resources).not.toContain('/uploads/*');
    }
  });

  it('of the job that rotates keys are for one parameter and one store at the edge: it knows no table and no bucket', () => {
    expect(actionsOn(rotateKeys.statements, 'ssm').sort()).toEqual(['ssm:GetParameter', 'ssm:PutParameter']);
    expect(servicesOf(rotateKeys.statements)).toEqual(new Set(['logs', 'ssm', 'cloudfront-keyvaluestore']));
    const [store] = resourcesOf(template, 'AWS::CloudFront::KeyValueStore').keys();
    const onStore = statementsOn(rotateKeys.statements, 'cloudfront-keyvaluestore');
    expect(onStore.map(({ Resource }) => Resource)).toEqual([{ 'Fn::GetAtt': [store, 'Arn'] }]);
  });

  it('of that job are for one object of the bucket more where a stream host reads the keys there', () => {
    const { statements } = functionThat(/access tokens are signed/, withEverything);
    expect(actionsOn(statements, 's3')).toEqual(['s3:GetObject', 's3:PutObject']);
    const [onBucket] = statementsOn(statements, 's3');
    expect(JSON.stringify(onBucket?.Resource)).toMatch(/"Arn"\]\},"\/keys\/signing-keys"\]\]\}$/);
  });

  it('of the function that finishes uploads are to look at objects, and to write and delete none', () => {
    expect(actionsOn(commitUploads.statements, 's3').sort()).toEqual(['s3:GetObject', 's3:ListBucket']);
    expect(actionsOn(commitUploads.statements, 'dynamodb')).toContain('dynamodb:PutItem');
    expect(servicesOf(commitUploads.statements)).toEqual(new Set(['dynamodb', 'logs', 's3']));
  });

  it('of the function that makes the front door its keys are for these two parameters', () => {
    expect(servicesOf(frontKeys.statements)).toEqual(new Set(['logs', 'ssm']));
    const names = ['/stowage/Stowage/download-key', '/stowage/Stowage/front-secret'];
    expect(actionsOn(frontKeys.statements, 'ssm')).toEqual(['ssm:GetParameter', 'ssm:PutParameter']);
    expect(parametersFor(frontKeys.statements, 'ssm:PutParameter')).toEqual(names);
  });

  it('of the API are to read the key of downloads where these go through the front door', () => {
    const { statements } = functionThat(/answers every request/, withEverything);
    const names = ['/stowage/Stowage/download-key', '/stowage/Stowage/signing-keys'];
    expect(parametersFor(statements, 'ssm:GetParameter')).toEqual(names);
    expect(actionsOn(statements, 'ssm')).not.toContain('ssm:PutParameter');
  });

  it('of the API are to read the signing keys, never to write them; of the hourly job not even that', () => {
    expect(actionsOn(api.statements, 'ssm')).toEqual(['ssm:GetParameter']);
    expect(actionsOn(expire.statements, 'ssm')).toEqual([]);
  });

  it.each([
    ['the API', api],
    ['the job that rotates keys', rotateKeys],
  ])('of %s name the parameter of this stack', (_, { statements }) => {
    const [statement] = statementsOn(statements, 'ssm');
    const arn = JSON.stringify(statement?.Resource);
    expect(arn).toMatch(/":parameter\/stowage\/Stowage\/signing-keys"\]\]\}\]?$/);
  });

  it.each([
    ['the API', api],
    ['the hourly job', expire],
    ['the function that finishes uploads', commitUploads],
    ['the sweep', sweep],
  ])('of %s to change what the audit trail says are none', (_, { statements }) => {
    expect(statements.filter(({ Effect }) => Effect === 'Deny')).toEqual([
      {
        Effect: 'Deny',
        Action: ['dynamodb:DeleteItem', 'dynamodb:UpdateItem'],
        Resource: expect.objectContaining({ 'Fn::GetAtt': [expect.stringMatching('Metadata'), 'Arn'] }),
        Condition: { 'ForAnyValue:StringLike': { 'dynamodb:LeadingKeys': ['AUDIT#*'] } },
      },
    ]);
  });

  it.each([
    ['the API', api, ['dynamodb', 'logs', 's3', 'ssm']],
    ['the hourly job', expire, ['dynamodb', 'logs', 's3']],
  ])(
    'of %s are for one table, one bucket and its own log, nothing else but keys',
    (_, { statements }, services) => {
      expect(servicesOf(statements)).toEqual(new Set(services));
      expect(actionsOn(statements, 'logs').sort()).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents']);
    },
  );
});
