import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allowedBy, list, type Statement } from './permissions.ts';
import { COMPANY, EVERYTHING, ROOT, resourcesOf, synthesize } from './synthesize.ts';

// The files of docs/deploy-from-ci.md, against the stack with every option.

const FOLDER = join(ROOT, 'docs/deploy-from-ci');
const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8');
const statementsIn = (name: string) =>
  (JSON.parse(read(name)) as { Statement: readonly Statement[] }).Statement;

const template = synthesize({ ...EVERYTHING, ...COMPANY });

/** What CloudFormation calls to make, change and delete a resource of each type, as AWS's schemas of the types name it; one action stands for
 *  those that a policy allows together. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  'AWS::ApiGatewayV2::': ['apigateway:POST', 'apigateway:PATCH', 'apigateway:DELETE', 'apigateway:GET'],
  'AWS::Budgets::': ['budgets:ModifyBudget', 'budgets:ViewBudget'],
  'AWS::CertificateManager::': ['acm:RequestCertificate', 'acm:DescribeCertificate', 'acm:DeleteCertificate'],
  'AWS::CloudFront::': [
    'cloudfront:CreateDistribution',
    'cloudfront:UpdateFunction',
    'cloudfront:DeleteVpcOrigin',
  ],
  'AWS::CloudWatch::': ['cloudwatch:PutMetricAlarm', 'cloudwatch:DeleteAlarms'],
  'AWS::DynamoDB::': [
    'dynamodb:CreateTable',
    'dynamodb:UpdateContinuousBackups',
    'dynamodb:UpdateTimeToLive',
  ],
  'AWS::EC2::': ['ec2:CreateVpc', 'ec2:RunInstances', 'ec2:CreateVpcEndpoint', 'ec2:DeleteLaunchTemplate'],
  'AWS::Events::': ['events:PutRule', 'events:PutTargets', 'events:DeleteRule'],
  'AWS::IAM::': [
    'iam:CreateRole',
    'iam:PutRolePolicy',
    'iam:DeleteRole',
    'iam:PassRole',
    'iam:CreateInstanceProfile',
  ],
  'AWS::Lambda::': ['lambda:CreateFunction', 'lambda:AddPermission', 'lambda:PublishVersion'],
  'AWS::Logs::': ['logs:CreateLogGroup', 'logs:PutRetentionPolicy', 'logs:DeleteLogGroup'],
  'AWS::Route53::': ['route53:ChangeResourceRecordSets', 'route53:GetChange'],
  'AWS::S3::': ['s3:CreateBucket', 's3:PutBucketPolicy', 's3:PutLifecycleConfiguration'],
  'AWS::SNS::': ['sns:CreateTopic', 'sns:Subscribe', 'sns:SetTopicAttributes'],
  'Custom::': ['lambda:InvokeFunction'],
};

const covers = (pattern: string, action: string) =>
  new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(action);
const allows = (statements: readonly Statement[], action: string) =>
  statements.some(
    ({ Effect, Action }) => Effect === 'Allow' && list(Action).some((each) => covers(each, action)),
  );
const denies = (statements: readonly Statement[], action: string) =>
  statements.some(
    ({ Effect, Action }) => Effect === 'Deny' && list(Action).some((each) => covers(each, action)),
  );

describe('the execution policy', () => {
  const policy = statementsIn('execution-policy.json');

  it('lets CloudFormation make every type of resource that there is', () => {
    for (const { Type } of resourcesOf(template).values()) {
      const [, calls = []] = Object.entries(CALLS).find(([prefix]) => Type.startsWith(prefix)) ?? [];
      expect({ Type, known: calls.length > 0 }).toEqual({ Type, known: true });
      for (const call of calls)
        expect({ call, allowed: allows(policy, call) }).toEqual({ call, allowed: true });
    }
  });

  it('makes roles only below the path and within the boundary that the stack is deployed with', () => {
    for (const { Action, Resource, Condition } of policy.filter((each) =>
      list(each.Action).some((action) => /^iam:(Create|Put|Attach)\w*Role/.test(action)),
    )) {
      if (list(Action).includes('iam:CreateServiceLinkedRole')) continue;
      for (const resource of list(Resource)) expect(resource).toMatch(/:role\/registry\/\*$/);
      expect(JSON.stringify(Condition)).toContain(COMPANY.permissionsBoundaryArn);
    }
    for (const { Properties } of resourcesOf(template, 'AWS::IAM::Role').values())
      expect(Properties).toMatchObject({
        Path: '/registry/',
        PermissionsBoundary: COMPANY.permissionsBoundaryArn,
      });
    for (const forbidden of [
      'iam:CreateUser',
      'iam:CreatePolicy',
      'iam:DeleteRolePermissionsBoundary',
      'organizations:LeaveOrganization',
      'sts:AssumeRole',
    ])
      expect({ forbidden, allowed: allows(policy, forbidden) }).toEqual({ forbidden, allowed: false });
  });

  it('is as long as IAM takes', () => {
    for (const name of ['execution-policy.json', 'boundary.json'])
      expect(JSON.stringify(JSON.parse(read(name))).length).toBeLessThan(6144);
  });
});

describe('the boundary', () => {
  const boundary = statementsIn('boundary.json');

  it('leaves the roles of the stack all that they do', () => {
    const roles = [
      ...resourcesOf(template, 'AWS::IAM::Policy').values(),
      ...resourcesOf(template, 'AWS::IAM::Role').values(),
    ];
    const ids = new Set(roles.map(({ Properties }) => Properties));
    expect(ids.size).toBeGreaterThan(10);
    const actions = allowedBy(template)
      .filter((each) => !('Principal' in each))
      .flatMap(({ Action }) => list(Action));
    expect(actions.length).toBeGreaterThan(30);
    for (const action of new Set(actions))
      expect({ action, allowed: allows(boundary, action) && !denies(boundary, action) }).toEqual({
        action,
        allowed: true,
      });
  });

  it('keeps them from the stores themselves, and from IAM', () => {
    expect(denies(boundary, 'dynamodb:DeleteTable')).toBe(true);
    for (const action of ['iam:PassRole', 'sts:AssumeRole', 'ec2:RunInstances'])
      expect(allows(boundary, action)).toBe(false);
  });
});

it("the job's role takes the roles of this bootstrap, and deploys with its options", () => {
  const [statement, ...more] = statementsIn('deploy-role.json');
  expect(more).toEqual([]);
  expect(statement?.Action).toBe('sts:AssumeRole');
  for (const resource of list(statement?.Resource))
    expect(resource).toContain(`:role/cdk-${COMPANY.qualifier}-`);
  const { kmsKeyArn: _, ...deployed } = COMPANY;
  for (const [name, value] of Object.entries(deployed))
    expect(read('deploy.yml')).toContain(`--context ${name}=${value}`);
});

it('docs/deploy-from-ci.md names every file, and each is there', () => {
  const page = readFileSync(join(ROOT, 'docs/deploy-from-ci.md'), 'utf8');
  for (const name of [
    'trust.json',
    'deploy-role.json',
    'execution-policy.json',
    'boundary.json',
    'deploy.yml',
  ]) {
    expect(page).toContain(name);
    expect(read(name)).not.toBe('');
  }
});

it('its commands find their files from the checkout, which is where the CDK finds its app', () => {
  const page = readFileSync(join(ROOT, 'docs/deploy-from-ci.md'), 'utf8');
  expect(page).not.toMatch(/^cd /m);
  const paths = [...page.matchAll(/file:\/\/(\S+)/g)].map(([, path = '']) => path);
  expect(paths).toHaveLength(4);
  for (const path of paths) expect(existsSync(join(ROOT, path)), path).toBe(true);
});

it('the job shows the difference that it deploys', () => {
  const contextsOf = (command: string) =>
    [
      ...(new RegExp(`cdk ${command} (.+)`).exec(read('deploy.yml'))?.[1] ?? '').matchAll(/--context \S+/g),
    ].map(String);
  expect(contextsOf('diff')).toEqual(contextsOf('deploy'));
});
