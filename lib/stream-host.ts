import { createHash } from 'node:crypto';
import { Fn, Stack, Validations } from 'aws-cdk-lib';
import { CfnVpcOrigin } from 'aws-cdk-lib/aws-cloudfront';
import { CfnInstance, CfnLaunchTemplate } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Construct } from 'constructs';
import { ENV } from '../functions/environment.ts';
import type { BlobBucket } from './blob-bucket.ts';
import { globalName } from './global-name.ts';
import type { MetadataTable } from './metadata-table.ts';
import type { RegistryFunction } from './registry-function.ts';
import { streamCode } from './stream-code.ts';
import { StreamNetwork } from './stream-network.ts';
import type { StreamRole } from './stream-role.ts';
import { streamUserData } from './stream-user-data.ts';

interface StreamHostProps {
  /** Bound to table, bucket and keys already. */
  readonly role: StreamRole;
  readonly table: MetadataTable;
  readonly bucket: BlobBucket;
  /** Whether it stops by itself while nobody needs it. */
  readonly sleeps: boolean;
  /** @default - the region's first availability zone */
  readonly zone?: string;
  /** Another one is another instance, even where a template shows no difference. */
  readonly generation: string;
}

const PORT = 5000;

/** Amazon Linux's newest, found when an instance is launched. */
const IMAGE = 'resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64';

type Template = CfnLaunchTemplate.LaunchTemplateDataProperty;

/** What the image comes with; it cannot be less. */
const VOLUME_GIB = 8;

/** One small instance that takes what neither Lambda nor S3 can: bodies of unknown length, and chunks of any. Only
 *  CloudFront reaches it, and it reaches nothing but S3 and DynamoDB. */
export class StreamHost extends Construct {
  readonly instanceId: string;
  /** Its name inside of its network. */
  readonly privateName: string;
  readonly vpcOriginId: string;
  readonly sleeps: boolean;
  readonly #tableArn: string;

  constructor(scope: Construct, id: string, props: StreamHostProps) {
    super(scope, id);
    this.sleeps = props.sleeps;
    this.#tableArn = props.table.tableArn;
    const code = streamCode(this, 'Code');
    const archive = `arn:${Stack.of(this).partition}:s3:::${code.s3BucketName}/${code.s3ObjectKey}`;
    props.role.allow(new PolicyStatement({ actions: ['s3:GetObject'], resources: [archive] }));
    const network = this.#network(props, archive);
    const template = this.#template(code, network, props);
    const generation = this.#hash(template, props.generation);
    const instance = this.#instance(generation, template, network);
    instance.node.addDependency(props.role, ...network.ways);
    this.instanceId = instance.attrInstanceId;
    this.privateName = instance.attrPrivateDnsName;
    this.vpcOriginId = this.#vpcOrigin(generation, instance, network);
  }

  /** Lets the function wake it, and tells it which instance that is. */
  bindGate(api: RegistryFunction<'serve'>): void {
    this.#bind(api, ['ec2:StartInstances']);
  }

  /** Lets the function stop and restart it where it does not stop by itself. */
  bindWatch(job: RegistryFunction<'expire'>): void {
    this.#bind(job, ['ec2:StopInstances', 'ec2:RebootInstances']);
    job.allow(new PolicyStatement({ actions: ['dynamodb:GetItem'], resources: [this.#tableArn] }));
  }

  #bind(worker: RegistryFunction<'serve' | 'expire'>, actions: string[]): void {
    const { partition, region, account } = Stack.of(this);
    const resources = [`arn:${partition}:ec2:${region}:${account}:instance/${this.instanceId}`];
    worker.allow(new PolicyStatement({ actions, resources }));
    // EC2 knows no narrower right to look at an instance.
    worker.allow(new PolicyStatement({ actions: ['ec2:DescribeInstances'], resources: ['*'] }));
    worker.tell(ENV.streamInstance, this.instanceId);
    Validations.of(worker).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'To look at instances is a right that EC2 grants for all or none.',
    });
  }

  #network({ table, bucket, zone }: StreamHostProps, archive: string): StreamNetwork {
    const s3 = [bucket.bucketArn, `${bucket.bucketArn}/*`, archive];
    return new StreamNetwork(this, 'Network', {
      port: PORT,
      reaches: { s3, dynamodb: [table.tableArn] },
      ...(zone && { zone }),
    });
  }

  #template(code: Asset, network: StreamNetwork, { role, sleeps }: StreamHostProps): Template {
    const { region, stackName } = Stack.of(this);
    const userData = streamUserData({ code, region, port: PORT, environment: role.environment, sleeps });
    return {
      imageId: IMAGE,
      instanceType: 't4g.nano',
      // Starting up takes more than it earns while idle. What that may cost at most is in docs/deploy.md, with an alarm.
      creditSpecification: { cpuCredits: 'unlimited' },
      iamInstanceProfile: { arn: role.profile.instanceProfileArn },
      securityGroupIds: [network.securityGroupId],
      metadataOptions: { httpTokens: 'required', httpPutResponseHopLimit: 1 },
      blockDeviceMappings: [
        {
          deviceName: '/dev/xvda',
          ebs: { volumeSize: VOLUME_GIB, volumeType: 'gp3', encrypted: true, deleteOnTermination: true },
        },
      ],
      userData: Fn.base64(userData.render()),
      ...(sleeps && { instanceInitiatedShutdownBehavior: 'stop' }),
      tagSpecifications: [
        { resourceType: 'instance', tags: [{ key: 'Name', value: `${stackName} stream host` }] },
      ],
    };
  }

  /** CloudFront changes no VPC origin that a distribution uses. So whatever would change it, and a new instance
   *  would, makes another one beside it; the distribution moves, and then the old one goes. */
  #hash(template: Template, generation: string): string {
    const text = JSON.stringify([Stack.of(this).resolve(template), generation]);
    return createHash('sha256').update(text).digest('hex').slice(0, 8);
  }

  #instance(generation: string, launchTemplateData: Template, { subnetId }: StreamNetwork): CfnInstance {
    // A launch template, because only that can name an image that is looked up at launch. As a parameter of the stack
    // it would change, and replace the instance in place, with any deployment.
    const template = new CfnLaunchTemplate(this, `Template${generation}`, { launchTemplateData });
    const instance = new CfnInstance(this, `Instance${generation}`, {
      launchTemplate: {
        launchTemplateId: template.attrLaunchTemplateId,
        version: template.attrLatestVersionNumber,
      },
      subnetId,
    });
    explain(instance);
    return instance;
  }

  #vpcOrigin(generation: string, instance: CfnInstance, network: StreamNetwork): string {
    const { partition, region, account } = Stack.of(this);
    const origin = new CfnVpcOrigin(this, `Origin${generation}`, {
      vpcOriginEndpointConfig: {
        arn: `arn:${partition}:ec2:${region}:${account}:instance/${instance.attrInstanceId}`,
        name: `${globalName(this)}-${generation}`,
        originProtocolPolicy: 'http-only', // inside of AWS's network and of this one, where nobody else is
        httpPort: PORT,
      },
    });
    origin.node.addDependency(...network.ways);
    return origin.attrId;
  }
}

function explain(instance: CfnInstance): void {
  Validations.of(instance).acknowledge(
    {
      id: 'AwsSolutions-EC28',
      reason: 'Its health is watched every minute as it is; its load a minute sooner is worth no $2 a month.',
    },
    {
      id: 'AwsSolutions-EC29',
      reason: 'It keeps nothing: another one takes its place by a deployment.',
    },
  );
}
