import { describe, expect, it } from 'vitest';
import { onlyResource, resourcesOf, synthesize } from './synthesize.ts';

// What stands between a user and a bill. None of these types costs anything by the hour or the month while nobody
// uses it, alarms aside: $0.10 a month each beyond an account's first ten. A new type goes in here once somebody
// has looked up its price.
const FREE_WHILE_IDLE = [
  'AWS::ApiGatewayV2::Api',
  'AWS::ApiGatewayV2::Integration',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Stage',
  'AWS::CloudWatch::Alarm',
  'AWS::DynamoDB::Table',
  'AWS::Events::Rule',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::Lambda::Function',
  'AWS::Lambda::Permission',
  'AWS::Lambda::Version',
  'AWS::Logs::LogGroup',
  'AWS::S3::Bucket',
  'AWS::S3::BucketPolicy',
  'Custom::Trigger',
];
const FOR_MAIL = ['AWS::SNS::Subscription', 'AWS::SNS::Topic', 'AWS::SNS::TopicPolicy'];

const template = synthesize();
const withEverything = synthesize({ alarmEmail: 'ops@example.com', accessLogs: true });

const typesOf = (of: typeof template) => new Set([...resourcesOf(of).values()].map(({ Type }) => Type));

describe('what is billed', () => {
  it('has no resource that costs money while nobody uses it', () => {
    expect([...typesOf(template)].sort()).toEqual(FREE_WHILE_IDLE);
  });

  it('has none with every option either', () => {
    expect([...typesOf(withEverything)].sort()).toEqual([...FREE_WHILE_IDLE, ...FOR_MAIL].sort());
  });

  it('has no more than six alarms, which can be left out', () => {
    template.resourceCountIs('AWS::CloudWatch::Alarm', 6);
    synthesize({ alarms: false }).resourceCountIs('AWS::CloudWatch::Alarm', 0);
  });

  it('pays for the table by request, and for no capacity, index or key', () => {
    const { Properties } = onlyResource(template, 'AWS::DynamoDB::Table');
    expect(Properties.BillingMode).toBe('PAY_PER_REQUEST');
    expect(Properties.SSESpecification).toEqual({ SSEEnabled: false }); // AWS's own key: encrypted, and free
    for (const paid of ['ProvisionedThroughput', 'WarmThroughput', 'GlobalSecondaryIndexes']) {
      expect(Properties).not.toHaveProperty(paid);
    }
  });

  it('keeps no old versions of objects, and no log of S3', () => {
    const { Properties } = onlyResource(template, 'AWS::S3::Bucket');
    expect(Properties).not.toHaveProperty('VersioningConfiguration');
    expect(Properties).not.toHaveProperty('LoggingConfiguration');
  });

  it('bounds what a flood of requests can cost', () => {
    const { Properties } = onlyResource(template, 'AWS::ApiGatewayV2::Stage');
    expect(Properties.DefaultRouteSettings).toEqual({ ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000 });
  });
});

describe('logs', () => {
  it.each([
    { of: withEverything, count: 5, options: 'with the gateway writing one' },
    { of: template, count: 4, options: 'by default' },
  ])('are $count $options, and each forgets after 30 days', ({ of, count }) => {
    const groups = [...resourcesOf(of, 'AWS::Logs::LogGroup').values()];
    expect(groups.map(({ Properties }) => Properties.RetentionInDays)).toEqual(Array(count).fill(30));
  });

  it('are the groups of the stack: no function makes one that never forgets', () => {
    const groups = [...resourcesOf(template, 'AWS::Logs::LogGroup').keys()];
    const used = [...resourcesOf(template, 'AWS::Lambda::Function').values()].map(
      ({ Properties }) => Properties.LoggingConfig.LogGroup.Ref as string,
    );
    expect(new Set(used)).toEqual(new Set(groups));
    expect(used).toHaveLength(groups.length);
  });

  it('are not written by the gateway unless it is asked to', () => {
    const stage = onlyResource(template, 'AWS::ApiGatewayV2::Stage');
    expect(stage.Properties).not.toHaveProperty('AccessLogSettings');
    const asked = onlyResource(withEverything, 'AWS::ApiGatewayV2::Stage');
    expect(asked.Properties.AccessLogSettings).toBeDefined();
  });
});
