import { Aws, Duration, Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Ec2Action, Ec2InstanceAction, SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { FilterPattern } from 'aws-cdk-lib/aws-logs';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import type { RegistryApi } from './registry-api.ts';
import type { RegistryFunction } from './registry-function.ts';
import type { StreamHost } from './stream-host.ts';

interface AlarmsProps {
  /** An address that every alarm is sent to, once its owner has confirmed the first mail.
   *  @default - nobody is told; the alarms show in the CloudWatch console */
  readonly email?: string;
  /** A topic that every alarm is published to; it must let cloudwatch.amazonaws.com publish.
   *  @default - one is made where there is an `email` */
  readonly topic?: ITopic;
}

interface AlarmProps {
  /** The end of the alarm's name, and the anchor of its entry in docs/runbook.md. */
  readonly id: string;
  readonly metric: Metric;
  readonly threshold: number;
  /** How many periods in a row. @default 1 - the first counts */
  readonly periods?: number;
  /** Whether it is low numbers, or none at all, that alarm. @default false */
  readonly whenMissing?: boolean;
  /** What AWS does by itself. @default - nothing */
  readonly cure?: Ec2InstanceAction;
  /** What it means, for someone who has never heard of it. */
  readonly means: string;
}

interface WatchedJob {
  /** The job's word in alarms and runbook. */
  readonly name: string;
  readonly job: RegistryFunction;
  readonly every: Duration;
}

/** A job that has missed this many runs is not running. */
const MISSED_RUNS = 3;
const CLIENT_RETRIES = 5;

/** A vCPU hour, $0.04, beyond what the instance earns. */
const SURPLUS_CREDITS = 60;

/** Two alarms for each job, *failing* and *not running*, two for the API, one for downloads, one for uploads past it and three for the
 *  stream host. $0.10 a month each; the first ten of an account are free. */
export class Alarms extends Construct {
  readonly #action: SnsAction | undefined;

  constructor(scope: Construct, id: string, props: AlarmsProps = {}) {
    super(scope, id);
    const topic = props.topic ?? (props.email === undefined ? undefined : this.#topic());
    if (props.email !== undefined) topic?.addSubscription(new EmailSubscription(props.email));
    this.#action = topic && new SnsAction(topic);
  }

  watchJob({ name, job, every }: WatchedJob): void {
    const eachRun = { period: every, statistic: 'Sum' };
    const [often, quiet] =
      every.toHours() < 24
        ? ['hourly', `${every.toHours() * MISSED_RUNS} hours`]
        : ['daily', `${every.toDays() * MISSED_RUNS} days`];
    this.#raise({
      id: `${name}-failing`,
      metric: job.handler.metricErrors(eachRun),
      threshold: 1,
      means: `The ${often} job "${name}" ended with an error or ran out of time.`,
    });
    this.#raise({
      id: `${name}-not-running`,
      metric: job.handler.metricInvocations(eachRun),
      threshold: 1,
      periods: MISSED_RUNS,
      whenMissing: true,
      means: `The ${often} job "${name}" has not run for ${quiet}. Expected until its first run after a first deployment.`,
    });
  }

  watchApi(api: RegistryApi, { handler }: RegistryFunction): void {
    const often = { period: Duration.minutes(5), statistic: 'Sum' };
    this.#raise({
      id: 'api-failing',
      metric: api.serverErrors().with(often),
      threshold: CLIENT_RETRIES, // fewer are mended by the client's own retries, and nobody saw them
      means: `The registry answered ${CLIENT_RETRIES} requests or more with a 5xx within 5 minutes.`,
    });
    this.#raise({
      id: 'api-throttled',
      metric: handler.metricThrottles(often),
      threshold: 1,
      means: 'Lambda refused requests: the account has reached its limit of executions at once.',
    });
  }

  /** The log has a line when four fifths of a limit are taken. A metric of its own is billed only for hours that have one. */
  watchDownloads({ logs }: RegistryFunction): void {
    const metric = logs
      .addMetricFilter('downloads', {
        filterPattern: FilterPattern.stringValue('$.told', '=', 'downloads'),
        metricNamespace: Stack.of(this).stackName,
        metricName: 'DownloadLimits',
      })
      .metric({ period: Duration.hours(1), statistic: 'Sum' });
    this.#raise({
      id: 'downloads-near-limit',
      metric,
      threshold: 1,
      means: 'Four fifths of what a policy allows of downloads in a day are taken.',
    });
  }

  watchUploads({ handler }: RegistryFunction): void {
    this.#raise({
      id: 'commit-uploads-failing',
      metric: handler.metric('AsyncEventsDropped', { period: Duration.hours(1), statistic: 'Sum' }),
      threshold: 1,
      means: 'An upload that went past the registry was not finished, and Lambda has given up trying.',
    });
  }

  watchStreamHost(host: StreamHost): void {
    const metric = (metricName: string, period: Duration, statistic: string) =>
      new Metric({
        namespace: 'AWS/EC2',
        metricName,
        dimensionsMap: { InstanceId: host.instanceId },
        period,
        statistic,
      });
    const minute = Duration.minutes(1);
    this.#raise({
      id: 'stream-host-hardware',
      metric: metric('StatusCheckFailed_System', minute, 'Maximum'),
      threshold: 1,
      periods: 2,
      cure: Ec2InstanceAction.RECOVER,
      means: 'The machine under the stream host does not work; AWS moves the instance to another one.',
    });
    this.#raise({
      id: 'stream-host-hung',
      metric: metric('StatusCheckFailed_Instance', minute, 'Maximum'),
      threshold: 1,
      periods: 3,
      cure: Ec2InstanceAction.REBOOT,
      means: 'The system of the stream host does not answer; AWS restarts it.',
    });
    this.#raise({
      id: 'stream-host-credits',
      metric: metric('CPUSurplusCreditsCharged', Duration.hours(6), 'Sum'),
      threshold: SURPLUS_CREDITS,
      means: 'The stream host computes more than its price covers, at $0.04 for each hour of a processor.',
    });
  }

  #raise({ id, metric, threshold, periods, whenMissing, cure, means }: AlarmProps): void {
    const { GREATER_THAN_OR_EQUAL_TO_THRESHOLD, LESS_THAN_THRESHOLD } = ComparisonOperator;
    const alarm = new Alarm(this, id, {
      alarmName: `${Stack.of(this).stackName}-${id}`,
      alarmDescription: `${means} What to do: docs/runbook.md#${id}`,
      metric,
      threshold,
      evaluationPeriods: periods ?? 1,
      comparisonOperator: whenMissing ? LESS_THAN_THRESHOLD : GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: whenMissing ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    });
    if (cure) alarm.addAlarmAction(new Ec2Action(cure));
    if (!this.#action) return;
    alarm.addAlarmAction(this.#action);
    alarm.addOkAction(this.#action);
  }

  /** Not encrypted: CloudWatch cannot publish to a topic under the key that AWS manages, and a key of the
   *  account costs $1 a month for mails that say no more than an alarm's name. */
  #topic(): Topic {
    const topic = new Topic(this, 'Topic', { displayName: Stack.of(this).stackName, enforceSSL: true });
    // `enforceSSL` brings a policy, which replaces the one that let the account's own services publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    );
    return topic;
  }
}
