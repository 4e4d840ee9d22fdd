import { describe, expect, it } from 'vitest';
import { ENV } from '../../functions/environment.ts';
import { onlyResource, type Resource, resourcesOf, synthesize } from './synthesize.ts';

const template = synthesize({ alarmEmail: 'ops@example.com' });

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

const list = <T>(value: T | readonly T[]) => (Array.isArray(value) ? value : [value]) as readonly T[];

/** Of every policy, those of roles, buckets and topics alike. */
const allowed = [...resourcesOf(template).values()].flatMap(({ Properties }) =>
  list<Statement>(Properties?.PolicyDocument?.Statement ?? []).filter(({ Effect }) => Effect === 'Allow'),
);

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

const actionsOn = (statements: readonly Statement[], service: string) =>
  statements.flatMap(({ Action }) => list(Action).filter((action) => action.startsWith(`${service}:`)));

describe('permissions', () => {
  it('name every action', () => {
    expect(allowed.length).toBeGreaterThan(5);
    expect(allowed.flatMap(({ Action }) => list(Action)).filter((action) => action.includes('*'))).toEqual(
      [],
    );
  });

  it('name every resource; of objects, whose keys nobody can know, the prefix', () => {
    const resources = allowed.flatMap(({ Resource }) => list(Resource)).map((value) => JSON.stringify(value));
    const wide = resources.filter((resource) => resource.includes('*'));
    expect(wide.filter((resource) => !/"Arn"\]\},"\/(blobs|uploads)\/\*"\]\]\}$/.test(resource))).toEqual([]);
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

  it.each([
    ['the API', api],
    ['the hourly job', expire],
  ])('of %s are for one table, one bucket and its own log, nothing else', (_, { statements }) => {
    const services = statements.map(({ Action }: Statement) => list(Action)[0]?.split(':')[0]);
    expect(new Set(services)).toEqual(new Set(['dynamodb', 'logs', 's3']));
    expect(actionsOn(statements, 'logs').sort()).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents']);
  });
});

describe.each([
  ['the API', api],
  ['the hourly job', expire],
])('the function of %s', (_, { Runtime, Architectures, Environment, Timeout }) => {
  it('runs on Node 24 and ARM', () => {
    expect({ Runtime, Architectures }).toEqual({ Runtime: 'nodejs24.x', Architectures: ['arm64'] });
  });

  it('is told the table and the bucket, by the names that entry points read', () => {
    expect(new Set(Object.keys(Environment.Variables))).toEqual(new Set([ENV.table, ENV.bucket]));
  });

  it('has time enough, and Lambda grants it', () => {
    expect(Timeout).toBeGreaterThanOrEqual(29);
    expect(Timeout).toBeLessThanOrEqual(900);
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

  it('is let in only with a signature of IAM, as long as the registry knows no users', () => {
    template.hasResourceProperties('AWS::ApiGatewayV2::Route', { AuthorizationType: 'AWS_IAM' });
  });

  it('is let in without one where whoever deploys has said so', () => {
    const route = onlyResource(synthesize({ open: true }), 'AWS::ApiGatewayV2::Route');
    expect(route.Properties.AuthorizationType ?? 'NONE').toBe('NONE');
  });
});

it('the job runs every hour', () => {
  template.hasResourceProperties('AWS::Events::Rule', { ScheduleExpression: 'rate(1 hour)' });
});

it('tells its user the URL, the table and the bucket', () => {
  for (const name of ['Url', 'TableName', 'BucketName']) template.hasOutput(name, {});
});
