import { describe, expect, it } from 'vitest';
import { ENV } from '../../functions/environment.ts';
import { onlyResource, type Resource, resourcesOf, synthesize } from './synthesize.ts';

const template = synthesize({ alarmEmail: 'ops@example.com' });

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const list = <T>(value: T | readonly T[]) => (Array.isArray(value) ? value : [value]) as readonly T[];

/** Of every policy, those of buckets and topics, of roles and inside of roles alike. */
const allowed = [...resourcesOf(template).values()]
  .flatMap(({ Properties }) => [Properties, ...(Properties?.Policies ?? [])])
  .flatMap((holder) => list<Statement>(holder?.PolicyDocument?.Statement ?? []))
  .filter(({ Effect }) => Effect === 'Allow');

/** The function whose description ends so, with all its role allows by the kind of resource. */
function functionThat(does: RegExp) {
  const found = [...resourcesOf(template, 'AWS::Lambda::Function').values()].find(({ Properties }) =>
    does.test(Properties.Description),
  );
  const role = found?.Properties.Role['Fn::GetAtt'][0] as string;
  const policies = [...resourcesOf(template, 'AWS::IAM::Policy').values()].filter(({ Properties }) =>
    Properties.Roles.some(({ Ref }: { Ref: string }) => Ref === role),
  );
  const statements = policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[]);
  return { ...(found as Resource).Properties, statements };
}

const api = functionThat(/answers every request/);
const expire = functionThat(/time has come/);
const rotateKeys = functionThat(/access tokens are signed/);

const allowing = (statements: readonly Statement[]) => statements.filter(({ Effect }) => Effect === 'Allow');
const servicesOf = (statements: readonly Statement[]) =>
  new Set(statements.map(({ Action }) => list(Action)[0]?.split(':')[0]));
const actionsOn = (statements: readonly Statement[], service: string) =>
  allowing(statements).flatMap(({ Action }) =>
    list(Action).filter((action) => action.startsWith(`${service}:`)),
  );

describe('permissions', () => {
  it('name every action', () => {
    expect(allowed.length).toBeGreaterThan(5);
    expect(allowed.flatMap(({ Action }) => list(Action)).filter((action) => action.includes('*'))).toEqual(
      [],
    );
  });

  it('name every resource; of objects, whose keys nobody can know, the prefix, and of a function its versions', () => {
    const resources = allowed.flatMap(({ Resource }) => list(Resource)).map((value) => JSON.stringify(value));
    const wide = resources.filter((resource) => resource.includes('*'));
    const known = /"Arn"\]\},"\/(blobs|uploads)\/\*"\]\]\}$|\["RotateKeysHandler\w+","Arn"\]\},":\*"\]\]\}$/;
    expect(wide.filter((resource) => !known.test(resource))).toEqual([]);
  });

  it('come from no policy of AWS', () => {
    for (const { Properties } of resourcesOf(template, 'AWS::IAM::Role').values()) {
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

  it('of the job that rotates keys are for the one parameter: it knows no table, no bucket, no key of KMS', () => {
    expect(actionsOn(rotateKeys.statements, 'ssm').sort()).toEqual(['ssm:GetParameter', 'ssm:PutParameter']);
    expect(servicesOf(rotateKeys.statements)).toEqual(new Set(['logs', 'ssm']));
  });

  it('of the API are to read the signing keys, never to write them; of the hourly job not even that', () => {
    expect(actionsOn(api.statements, 'ssm')).toEqual(['ssm:GetParameter']);
    expect(actionsOn(expire.statements, 'ssm')).toEqual([]);
  });

  it.each([
    ['the API', api],
    ['the job that rotates keys', rotateKeys],
  ])('of %s name the parameter of this stack', (_, { statements }) => {
    const [statement] = statements.filter(({ Action }: Statement) => list(Action)[0]?.startsWith('ssm:'));
    const arn = JSON.stringify(statement?.Resource);
    expect(arn).toMatch(/":parameter\/stowage\/Stowage\/signing-keys"\]\]\}$/);
  });

  it.each([
    ['the API', api],
    ['the hourly job', expire],
  ])('of %s to change what the audit trail says are none', (_, { statements }) => {
    expect(statements.filter(({ Effect }: Statement) => Effect === 'Deny')).toEqual([
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

describe.each([
  ['the API', api, [ENV.table, ENV.bucket, ENV.signingKeys], 29],
  ['the hourly job', expire, [ENV.table, ENV.bucket], 900],
  ['the job that rotates keys', rotateKeys, [ENV.signingKeys], 100],
])('the function of %s', (_, { Runtime, Architectures, Environment, Timeout }, names, seconds) => {
  it('runs on Node 24 and ARM', () => {
    expect({ Runtime, Architectures }).toEqual({ Runtime: 'nodejs24.x', Architectures: ['arm64'] });
  });

  it('is told where its things are, by the names that entry points read, and nothing else', () => {
    expect(new Set(Object.keys(Environment.Variables))).toEqual(new Set(names));
  });

  it('has time enough, and Lambda grants it', () => {
    expect(Timeout).toBe(seconds);
  });
});

describe('a request', () => {
  it('ends in the function before the gateway gives it up after 30 s', () => {
    expect(api.Timeout).toBeLessThan(30);
  });

  it('reaches the function whatever its method and path, with payload 2.0', () => {
    template.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: '$default' });
    template.resourceCountIs('AWS::ApiGatewayV2::Route', 1);
    template.hasResourceProperties('AWS::ApiGatewayV2::Integration', { PayloadFormatVersion: '2.0' });
  });

  it('is let in by the gateway whoever sends it: the registry asks for logins', () => {
    const route = onlyResource(template, 'AWS::ApiGatewayV2::Route');
    expect(route.Properties.AuthorizationType ?? 'NONE').toBe('NONE');
    template.resourceCountIs('AWS::ApiGatewayV2::Authorizer', 0);
  });

  it('finds signing keys: the gateway is there only when a deployment has made them', () => {
    const [trigger] = resourcesOf(template, 'Custom::Trigger').keys();
    for (const type of ['Api', 'Stage', 'Route', 'Integration']) {
      template.hasResource(`AWS::ApiGatewayV2::${type}`, { DependsOn: [trigger] });
    }
  });
});

describe('the signing keys', () => {
  const trigger = onlyResource(template, 'Custom::Trigger');

  it('are made by a deployment, once the job may make them', () => {
    const before = trigger.DependsOn ?? [];
    expect(before.filter((id) => id.startsWith('RotateKeysRoleDefaultPolicy'))).toHaveLength(1);
    const version = onlyResource(template, 'AWS::Lambda::Version');
    expect(version.Properties.FunctionName.Ref).toMatch(/^RotateKeysHandler/);
    expect(resourcesOf(template, 'AWS::Lambda::Version').keys().next().value).toBe(
      trigger.Properties.HandlerArn.Ref,
    );
  });

  it('are waited for longer than the job may take', () => {
    expect(Number(trigger.Properties.Timeout)).toBeGreaterThan(rotateKeys.Timeout * 1000);
  });

  it('are told to a user by name', () => {
    template.hasOutput('SigningKeysParameter', { Value: '/stowage/Stowage/signing-keys' });
  });
});

it('the API is told how clients reach it where whoever deploys has said so', () => {
  const publicUrl = 'https://registry.example.com';
  synthesize({ publicUrl }).hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: { [ENV.table]: {}, [ENV.publicUrl]: publicUrl } },
  });
});

it('the jobs run every hour and every day', () => {
  const rules = [...resourcesOf(template, 'AWS::Events::Rule').values()];
  const schedules = rules.map(({ Properties }) => Properties.ScheduleExpression as string);
  expect(new Set(schedules)).toEqual(new Set(['rate(1 day)', 'rate(1 hour)']));
});

it('tells its user the URL, the table and the bucket', () => {
  for (const name of ['Url', 'TableName', 'BucketName']) template.hasOutput(name, {});
});
