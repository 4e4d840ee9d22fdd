import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Stack } from 'aws-cdk-lib';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { describe, expect, it } from 'vitest';
import { toldLine } from '../../functions/telemetry/lines.ts';
import { EVERYTHING, onlyResource, ROOT, resourcesOf, synthesize } from './synthesize.ts';

const runbook = readFileSync(join(ROOT, 'docs/runbook.md'), 'utf8');
/** Named as alarms are, in small letters; what else the runbook tells how to do has a heading in words. */
const entries = [...runbook.matchAll(/^## ([a-z-]+)$/gm)].map(([, title]) => title);

const template = synthesize(EVERYTHING);
const alarms = [...resourcesOf(template, 'AWS::CloudWatch::Alarm').values()].map(
  ({ Properties }) => Properties,
);
const topic = [...resourcesOf(template, 'AWS::SNS::Topic').keys()][0];

const alarm = (name: string) => alarms.find(({ AlarmName }) => AlarmName === `Stowage-${name}`);

describe('the runbook', () => {
  it('has an entry for each alarm, and none for an alarm that is gone', () => {
    const names = alarms.map(({ AlarmName }) => AlarmName.replace('Stowage-', ''));
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(entries)).toEqual(new Set(names));
    expect(entries).toHaveLength(names.length);
  });
});

describe.each(alarms.map((properties) => ({ name: properties.AlarmName as string, properties })))(
  'the alarm $name',
  ({ properties }) => {
    it('says what it means, and where the runbook has its entry', () => {
      const [, means, anchor] =
        /^(.+) What to do: docs\/runbook\.md#(\S+)$/.exec(properties.AlarmDescription) ?? [];
      expect(means?.length).toBeGreaterThan(40);
      expect(entries).toContain(anchor);
      expect(properties.AlarmName).toBe(`Stowage-${anchor}`);
    });

    it('tells the address when it begins and when it ends', () => {
      expect(properties.AlarmActions).toContainEqual({ Ref: topic });
      expect(properties.OKActions).toEqual([{ Ref: topic }]);
    });
  },
);

describe.each([
  { name: 'expire', every: 3600 },
  { name: 'sweep', every: 3600 },
  { name: 'rotate-keys', every: 86_400 },
])('the job $name', ({ name, every }) => {
  it('alarms at its first error, a timeout too, until a run without one', () => {
    expect(alarm(`${name}-failing`)).toMatchObject({
      Namespace: 'AWS/Lambda',
      MetricName: 'Errors',
      Statistic: 'Sum',
      Period: every,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'notBreaching',
    });
  });

  it('alarms when it has missed three runs', () => {
    expect(alarm(`${name}-not-running`)).toMatchObject({
      Namespace: 'AWS/Lambda',
      MetricName: 'Invocations',
      Period: every,
      EvaluationPeriods: 3,
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
      TreatMissingData: 'breaching',
    });
  });
});

describe('the API', () => {
  it('alarms at as many 5xx as the client of one failing push sees', () => {
    const expected = { Namespace: 'AWS/ApiGateway', MetricName: '5xx', Threshold: 5, Period: 300 };
    expect(alarm('api-failing')).toMatchObject(expected);
  });

  it('alarms at the first request that Lambda refuses', () => {
    const expected = { Namespace: 'AWS/Lambda', MetricName: 'Throttles', Threshold: 1, Period: 300 };
    expect(alarm('api-throttled')).toMatchObject(expected);
  });
});

describe('downloads', () => {
  it('alarm when the log says that much of a limit is taken; nothing is billed before', () => {
    const expected = {
      Namespace: 'Stowage',
      MetricName: 'DownloadLimits',
      Threshold: 1,
      TreatMissingData: 'notBreaching',
    };
    expect(alarm('downloads-near-limit')).toMatchObject(expected);
    const filters = [...resourcesOf(template, 'AWS::Logs::MetricFilter').values()];
    expect(filters.map(({ Properties }) => Properties.FilterPattern)).toEqual(['{ $.told = "downloads" }']);
    expect(toldLine(0, { is: 'downloads' })).toContain('"told":"downloads"');
  });
});

describe('uploads past the registry', () => {
  it('alarm when Lambda has given up on one, not when a retry mends it', () => {
    const expected = { Namespace: 'AWS/Lambda', MetricName: 'AsyncEventsDropped', Threshold: 1 };
    expect(alarm('commit-uploads-failing')).toMatchObject(expected);
  });
});

describe('the stream host', () => {
  it.each([
    ['stream-host-hardware', 'StatusCheckFailed_System', 'recover', 2],
    ['stream-host-hung', 'StatusCheckFailed_Instance', 'reboot', 3],
  ])('%s has AWS do what helps', (name, MetricName, action, EvaluationPeriods) => {
    const found = alarm(name);
    expect(found).toMatchObject({ Namespace: 'AWS/EC2', MetricName, EvaluationPeriods, Period: 60 });
    expect(JSON.stringify(found?.AlarmActions)).toContain(`:ec2:${action}"`);
  });

  it('alarms when it computes more than its price covers', () => {
    expect(alarm('stream-host-credits')).toMatchObject({ MetricName: 'CPUSurplusCreditsCharged' });
  });

  it('is watched where there is one', () => {
    const names = [...resourcesOf(synthesize(), 'AWS::CloudWatch::Alarm').values()].map(
      ({ Properties }) => Properties.AlarmName,
    );
    expect(names.filter((name) => name.includes('stream'))).toEqual([]);
  });
});

describe('the topic', () => {
  it('lets the alarms of this account publish, and nobody without TLS', () => {
    const { Statement } = onlyResource(template, 'AWS::SNS::TopicPolicy').Properties.PolicyDocument;
    expect(Statement).toContainEqual(
      expect.objectContaining({
        Effect: 'Allow',
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Action: 'sns:Publish',
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      }),
    );
    expect(Statement).toContainEqual(
      expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
    );
  });

  it('may be one that is there already', () => {
    const arn = 'arn:aws:sns:eu-central-1:111122223333:ops';
    const alarmTopic = Topic.fromTopicArn(new Stack(), 'Ops', arn);
    const told = resourcesOf(synthesize({ alarmTopic }), 'AWS::CloudWatch::Alarm');
    for (const { Properties } of told.values()) expect(Properties.AlarmActions).toEqual([arn]);
    expect(told.size).toBeGreaterThan(5);
  });

  it('is not made where nobody is to be told', () => {
    const silent = synthesize();
    silent.resourceCountIs('AWS::SNS::Topic', 0);
    silent.resourceCountIs('AWS::CloudWatch::Alarm', 10);
  });
});
