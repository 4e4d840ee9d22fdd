import {
  CfnOutput,
  DefaultStackSynthesizer,
  Duration,
  type IStackSynthesizer,
  RemovalPolicy,
  Stack,
  type StackProps,
} from 'aws-cdk-lib';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { ENV, STREAM_HOST_TASK } from '../functions/environment.ts';
import { Alarms } from './alarms.ts';
import { BlobBucket } from './blob-bucket.ts';
import { CdnDownloads } from './cdn-downloads.ts';
import { CustomDomain } from './custom-domain.ts';
import { DeploymentRun } from './deployment-run.ts';
import { FrontDoor, type PriceClass } from './front-door.ts';
import { FrontKeys } from './front-keys.ts';
import { FrontStore } from './front-store.ts';
import { type IamRules, keepIamRules } from './iam-rules.ts';
import { MetadataTable } from './metadata-table.ts';
import { MonthlyBudget } from './monthly-budget.ts';
import { RegistryApi } from './registry-api.ts';
import { type RegistryFunctions, registryFunctions } from './registry-functions.ts';
import { ScheduledJob } from './scheduled-job.ts';
import { SigningKeys } from './signing-keys.ts';
import { StreamHost } from './stream-host.ts';
import { StreamRole } from './stream-role.ts';
import { UploadEvents } from './upload-events.ts';

/** docs/deploy.md has what each costs a month. */
export interface StowageStackProps extends StackProps, IamRules {
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
  /** Whether the gateway logs requests too. @default false - the function logs each one already */
  readonly accessLogs?: boolean;
  /** A host name of one's own, with a certificate or a hosted zone.
   *  @default - the name that CloudFront makes up */
  readonly domainName?: string;
  /** The domain's certificate, in us-east-1. @default - one is made, in a stack in us-east-1 with a `hostedZoneId` */
  readonly certificateArn?: string;
  /** The Route 53 zone that gets the domain's records. @default - whoever deploys makes them */
  readonly hostedZoneId?: string;
  /** A web ACL of AWS WAF, for CloudFront. @default - none */
  readonly webAclArn?: string;
  /** Which of CloudFront's places answer. @default '100' - the cheapest; clients elsewhere reach them too */
  readonly priceClass?: PriceClass;
  /** Where large blobs are downloaded from: `s3` is free inside of the region, `cdn` has 1 TB a month free to
   *  the internet. @default 's3' */
  readonly downloads?: 's3' | 'cdn';
  /** Who answers HEAD of a blob: the function, or S3 by a redirect. @default answered - `redirected` where `stowage doctor` finds
   *  that the gateway loses Content-Length */
  readonly heads?: 'answered' | 'redirected';
  /** Whether an instance takes layers by PATCH, which docker without the containerd store, podman and others send: one that is
   *  started when it is needed, one that is always on, or none, and they are told how to push instead.
   *  @default 'wake' - every client can push, for the price of a small disk */
  readonly streamHost?: 'wake' | 'none' | 'instance';
  /** Its availability zone. @default - the region's first */
  readonly streamHostZone?: string;
  /** The first deployment of another one replaces it, for the newest system. @default - new code alone does */
  readonly streamHostGeneration?: string;
  /** Whether the registry has its web page. @default true */
  readonly page?: boolean;
  /** Another name is another secret between the front door and what is behind it. @default - the first one */
  readonly frontRotation?: string;
  /** Another name is another key pair of the downloads; set while `downloads` is `s3`. @default - the first pair */
  readonly downloadKeyRotation?: string;
  /** How long an epoch lasts: who was told that a blob exists has one whole epoch to use it. @default 24 */
  readonly epochHours?: number;
  /** How long a deleted manifest can be brought back. @default 7 */
  readonly quarantineDays?: number;
  /** A table that is there already, kept or restored. @default - one is made */
  readonly tableName?: string;
  /** A bucket that is there already, kept or restored. @default - one is made */
  readonly bucketName?: string;
  /** A key of KMS for table and bucket. @default - those of DynamoDB and S3, which cost nothing */
  readonly kmsKeyArn?: string;
  /** That of a `cdk bootstrap` of one's own. @default - the CDK's */
  readonly qualifier?: string;
  /** What the account's bill for a month should not pass. @default - no budget */
  readonly monthlyBudgetUsd?: number;
  /** Who is told when it is about to. @default - whoever is told of alarms */
  readonly budgetEmail?: string;
}

const HOURLY = Duration.hours(1);
const DAILY = Duration.days(1);

/** functions/stream/reconcile.ts counts on it. */
const LOOK_AFTER_HOST = Duration.minutes(5);

const TRIAL = { removalPolicy: RemovalPolicy.DESTROY, deletionProtection: false };

interface Stores {
  readonly table: MetadataTable;
  readonly bucket: BlobBucket;
}

interface Keys {
  readonly signing: SigningKeys;
  readonly front: FrontKeys;
}

/** What the front door has behind it. */
interface Behind {
  readonly stores: Stores;
  readonly keys: Keys;
  readonly functions: RegistryFunctions;
  readonly domain: CustomDomain | undefined;
  readonly stream: StreamHost | undefined;
  readonly http: RegistryApi;
}

interface Watched {
  readonly functions: RegistryFunctions;
  readonly http: RegistryApi;
  readonly stream: StreamHost | undefined;
}

/** A registry: a front door, a bucket of bytes, a table of metadata, a function behind an HTTP API, and the jobs
 *  beside it. Nothing in it is billed by the hour but a stream host that is awake, and its disk. */
export class StowageStack extends Stack {
  constructor(scope: Construct, id: string, props: StowageStackProps = {}) {
    const { qualifier } = props;
    super(scope, id, {
      description: 'Stowage, a container registry',
      ...(qualifier && { synthesizer: new DefaultStackSynthesizer({ qualifier }) as IStackSynthesizer }),
      ...props,
    });
    keepIamRules(this, props);
    const isTrial = props.keepData === false;
    const stores = {
      table: new MetadataTable(this, 'Metadata', {
        ...(isTrial && TRIAL),
        tableName: props.tableName,
        keyArn: props.kmsKeyArn,
      }),
      bucket: new BlobBucket(this, 'Blobs', {
        removalPolicy: isTrial ? TRIAL.removalPolicy : fateOfBucket(props),
        bucketName: props.bucketName,
        keyArn: props.kmsKeyArn,
      }),
    };
    const keys = {
      signing: new SigningKeys(this, 'SigningKeys'),
      front: new FrontKeys(this, 'FrontKeys', {
        ...(props.frontRotation && { rotation: props.frontRotation }),
        ...(props.downloadKeyRotation && { downloadRotation: props.downloadKeyRotation }),
      }),
    };
    const functions = registryFunctions(this, { page: props.page ?? true });
    bind(functions, stores, keys);
    tellLease(functions, props);
    const domain = this.#domain(props);
    const stream = this.#stream(props, stores, keys);
    const http = new RegistryApi(this, 'Http', { api: functions.api, accessLogs: props.accessLogs ?? false });
    const front = this.#front(props, { stores, keys, functions, domain, stream, http });
    this.#runJobs(functions, stores.bucket, [http, front]);
    if (stream?.sleeps) this.#wake(stream, functions);
    this.#watch(props, { functions, http, stream });

    this.#output({ Url: domain?.url ?? `https://${front.domainName}`, FrontDoorName: front.domainName });
    this.#output({ ApiUrl: `https://${http.domainName}` });
    this.#output({ TableName: stores.table.tableName, BucketName: stores.bucket.bucketName });
    this.#output({ SigningKeysParameter: keys.signing.parameterName });
    this.#output({ FrontKeysParameters: keys.front.parameterNames.join(' ') });
    if (stream) this.#output({ StreamHostInstance: stream.instanceId });
    this.#outputFunctions(functions, keys.front);
  }

  #front(props: StowageStackProps, { stores, keys, functions, domain, stream, http }: Behind): FrontDoor {
    const { api, rotateKeys } = functions;
    if (stream) stores.bucket.bindKeys(rotateKeys);
    const known = new FrontStore(this, 'FrontStore');
    known.bind(rotateKeys);
    const downloads = new CdnDownloads(this, 'Downloads', { keys: keys.front });
    downloads.bind(api, props.downloads ?? 's3');
    if (props.heads === 'redirected') api.tell(ENV.heads, props.heads);
    return new FrontDoor(this, 'Front', {
      api: http,
      behind: [http, api],
      downloads,
      bucket: stores.bucket,
      store: known.store,
      secret: keys.front.secret,
      priceClass: props.priceClass ?? '100',
      page: props.page ?? true,
      ...(stream && { stream }),
      ...(domain && { domain }),
      ...(props.webAclArn && { webAclArn: props.webAclArn }),
    });
  }

  #domain({ domainName, certificateArn, hostedZoneId }: StowageStackProps): CustomDomain | undefined {
    if (!domainName) return undefined;
    return new CustomDomain(this, 'Domain', {
      domainName,
      ...(certificateArn && { certificateArn }),
      ...(hostedZoneId && { hostedZoneId }),
    });
  }

  #stream(
    { streamHost, streamHostZone: zone, streamHostGeneration, frontRotation }: StowageStackProps,
    stores: Stores,
    keys: Keys,
  ): StreamHost | undefined {
    if (streamHost === 'none') return undefined;
    const role = new StreamRole(this, 'StreamRole');
    for (const store of [stores.table, stores.bucket]) store.bind(role);
    stores.bucket.bindKeys(role);
    keys.front.bind(role);
    return new StreamHost(this, 'Stream', {
      role,
      ...stores,
      sleeps: streamHost !== 'instance',
      ...(zone && { zone }),
      // A template does not show that the secret is another one.
      generation: [streamHostGeneration, frontRotation].join(' '),
    });
  }

  #wake(stream: StreamHost, { api, expire }: RegistryFunctions): void {
    stream.bindGate(api);
    stream.bindWatch(expire);
    const job = { job: expire, every: LOOK_AFTER_HOST, input: STREAM_HOST_TASK };
    new ScheduledJob(this, 'LookAfterStreamHost', job);
  }

  #runJobs(functions: RegistryFunctions, bucket: BlobBucket, opened: readonly Construct[]): void {
    const { expire, sweep, rotateKeys, commitUploads } = functions;
    new ScheduledJob(this, 'SweepEveryHour', { job: sweep, every: HOURLY });
    new ScheduledJob(this, 'ExpireEveryHour', { job: expire, every: HOURLY });
    new ScheduledJob(this, 'RotateKeysEveryDay', { job: rotateKeys, every: DAILY });
    new DeploymentRun(this, 'FirstKeys', { job: rotateKeys, before: opened });
    new UploadEvents(this, 'UploadEvents', { bucket, commit: commitUploads });
  }

  #watch(props: StowageStackProps, { functions, http, stream }: Watched): void {
    const { alarmEmail: email, alarmTopic: topic, monthlyBudgetUsd: usd } = props;
    if (props.alarms ?? true) {
      const alarms = new Alarms(this, 'Alarms', { ...(email && { email }), ...(topic && { topic }) });
      alarms.watchApi(http, functions.api);
      alarms.watchJob({ name: 'expire', job: functions.expire, every: HOURLY });
      alarms.watchJob({ name: 'sweep', job: functions.sweep, every: HOURLY });
      alarms.watchJob({ name: 'rotate-keys', job: functions.rotateKeys, every: DAILY });
      alarms.watchDownloads(functions.api);
      alarms.watchUploads(functions.commitUploads);
      // The job that looks after one that sleeps restarts and stops it, and alarms by failing.
      if (stream && !stream.sleeps) alarms.watchStreamHost(stream);
    }
    const told = props.budgetEmail ?? email;
    if (usd && told) new MonthlyBudget(this, 'Budget', { usd, email: told });
  }

  #outputFunctions(
    { api, expire, sweep, rotateKeys, commitUploads }: RegistryFunctions,
    frontKeys: FrontKeys,
  ): void {
    const functions = {
      Api: api,
      Expire: expire,
      Sweep: sweep,
      RotateKeys: rotateKeys,
      CommitUploads: commitUploads,
      FrontKeys: frontKeys.function,
    };
    for (const [name, { handler, logs }] of Object.entries(functions)) {
      this.#output({ [`${name}Function`]: handler.functionName, [`${name}Logs`]: logs.logGroupName });
    }
  }

  #output(values: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(values)) new CfnOutput(this, name, { value });
  }
}

/** A first deployment that fails takes its bucket with it, where it has put nothing in: a stream host's keys are there before it is. */
const fateOfBucket = ({ streamHost }: StowageStackProps) =>
  streamHost === 'none' ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.RETAIN;

/** Whoever sweeps: the schedule, and people by the management API. */
function tellLease(
  { api, sweep }: RegistryFunctions,
  { epochHours, quarantineDays }: StowageStackProps,
): void {
  for (const worker of [api, sweep]) {
    if (epochHours !== undefined) worker.tell(ENV.epochSeconds, `${epochHours * 60 * 60}`);
    if (quarantineDays !== undefined) worker.tell(ENV.quarantineSeconds, `${quarantineDays * 24 * 60 * 60}`);
  }
}

/** Who may do what with the stores and the keys. */
function bind(functions: RegistryFunctions, { table, bucket }: Stores, { signing, front }: Keys): void {
  const { api, expire, sweep, commitUploads, rotateKeys } = functions;
  for (const store of [table, bucket]) {
    for (const worker of [api, expire, sweep, commitUploads]) store.bind(worker);
  }
  signing.bind(api);
  signing.bind(rotateKeys);
  front.bind(api);
}
