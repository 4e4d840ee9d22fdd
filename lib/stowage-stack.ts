import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { ENV } from '../functions/environment.ts';
import { Alarms } from './alarms.ts';
import { BlobBucket } from './blob-bucket.ts';
import { DeploymentRun } from './deployment-run.ts';
import { MetadataTable } from './metadata-table.ts';
import { RegistryApi } from './registry-api.ts';
import { RegistryFunction } from './registry-function.ts';
import { ScheduledJob } from './scheduled-job.ts';
import { SigningKeys } from './signing-keys.ts';

export interface StowageStackProps extends StackProps {
  /** Whether table and bucket outlive the stack. Without, a bucket that is not empty still keeps the stack from
   *  being deleted. @default true - only a trial should end with its images */
  readonly keepData?: boolean;
  /** Whether there are alarms, at $0.10 a month each beyond the account's first ten.
   *  @default true - a job that stopped is seen by nobody else */
  readonly alarms?: boolean;
  /** Who is told of alarms, by mail. @default - nobody; they show in the CloudWatch console */
  readonly alarmEmail?: string;
  /** Where alarms are published too; it must let cloudwatch.amazonaws.com publish. @default - one is made where
   *  there is an `alarmEmail` */
  readonly alarmTopic?: ITopic;
  /** How clients reach the registry, such as `https://registry.example.com`.
   *  @default - https and the host that they name, right for the stack's own URL */
  readonly publicUrl?: string;
  /** Whether the gateway logs requests too. @default false - the function logs each one already */
  readonly accessLogs?: boolean;
}

const HOURLY = Duration.hours(1);
const DAILY = Duration.days(1);

const TRIAL = { removalPolicy: RemovalPolicy.DESTROY, deletionProtection: false };

/** A registry: a bucket of bytes, a table of metadata, a function behind an HTTP API, and two jobs, one hourly and
 *  one daily. Nothing in it is billed by the hour. */
export class StowageStack extends Stack {
  constructor(scope: Construct, id: string, props: StowageStackProps = {}) {
    super(scope, id, { description: 'Stowage, a container registry', ...props });
    const fate = (props.keepData ?? true) ? {} : TRIAL;
    const table = new MetadataTable(this, 'Metadata', fate);
    const bucket = new BlobBucket(this, 'Blobs', fate);

    const keys = new SigningKeys(this, 'SigningKeys');

    const api = this.#apiFunction();
    const expire = this.#expireFunction();
    const rotateKeys = this.#rotateKeysFunction();
    for (const store of [table, bucket]) {
      store.bind(api);
      store.bind(expire);
    }
    keys.bind(api);
    keys.bind(rotateKeys);
    if (props.publicUrl) api.handler.addEnvironment(ENV.publicUrl, props.publicUrl);

    const http = new RegistryApi(this, 'Http', { api, accessLogs: props.accessLogs ?? false });
    new ScheduledJob(this, 'ExpireEveryHour', { job: expire, every: HOURLY });
    new ScheduledJob(this, 'RotateKeysEveryDay', { job: rotateKeys, every: DAILY });
    new DeploymentRun(this, 'FirstKeys', { job: rotateKeys, before: http });

    if (props.alarms ?? true) {
      const { alarmEmail: email, alarmTopic: topic } = props;
      const alarms = new Alarms(this, 'Alarms', { ...(email && { email }), ...(topic && { topic }) });
      alarms.watchApi(http, api);
      alarms.watchJob({ name: 'expire', job: expire, every: HOURLY });
      alarms.watchJob({ name: 'rotate-keys', job: rotateKeys, every: DAILY });
    }
    this.#output({ Url: http.url, TableName: table.tableName, BucketName: bucket.bucketName });
    this.#output({ SigningKeysParameter: keys.parameterName });
    this.#outputFunctions({ Api: api, Expire: expire, RotateKeys: rotateKeys });
  }

  #apiFunction(): RegistryFunction<'serve'> {
    return new RegistryFunction(this, 'Api', {
      duty: 'serve',
      entry: 'functions/api.ts',
      description: 'Stowage: answers every request to the registry',
      // Lambda gives CPU by memory: about 0.6 of a core, to hash the 4 MiB of a chunk in some 25 ms.
      memoryMegabytes: 1024,
      // A second less than the gateway waits: a request that hangs ends as an error in the function's log.
      timeout: Duration.seconds(29),
    });
  }

  #expireFunction(): RegistryFunction<'expire'> {
    return new RegistryFunction(this, 'Expire', {
      duty: 'expire',
      entry: 'functions/expire.ts',
      description: 'Stowage: deletes the objects whose time has come',
      memoryMegabytes: 256, // it waits for DynamoDB and S3, and holds a hundred items at a time
      timeout: Duration.minutes(15), // Lambda's longest; what is left then, the next run takes
    });
  }

  #rotateKeysFunction(): RegistryFunction<'rotate'> {
    return new RegistryFunction(this, 'RotateKeys', {
      duty: 'rotate',
      entry: 'functions/rotate-keys.ts',
      description: 'Stowage: makes the keys that access tokens are signed with, a new one each month',
      memoryMegabytes: 256,
      timeout: Duration.seconds(100), // less than a deployment waits for it
    });
  }

  #outputFunctions(functions: Readonly<Record<string, RegistryFunction>>): void {
    for (const [name, { handler, logs }] of Object.entries(functions)) {
      this.#output({ [`${name}Function`]: handler.functionName, [`${name}Logs`]: logs.logGroupName });
    }
  }

  #output(values: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(values)) new CfnOutput(this, name, { value });
  }
}
