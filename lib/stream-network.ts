import { Aws, CfnMapping, Fn, Validations } from 'aws-cdk-lib';
import {
  CfnInternetGateway,
  CfnSecurityGroup,
  CfnVPCGatewayAttachment,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { AnyPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

interface StreamNetworkProps {
  /** What CloudFront connects to. */
  readonly port: number;
  /** What can be reached in S3, and in DynamoDB: nothing else can be. */
  readonly reaches: { readonly s3: readonly string[]; readonly dynamodb: readonly string[] };
  /** An availability zone, such as `us-east-1b`. @default - the region's first */
  readonly zone?: string;
}

/** CloudFront's own addresses in each region: com.amazonaws.global.cloudfront.origin-facing, as
 *  `aws ec2 describe-managed-prefix-lists` gives them. No template can look them up by that name. */
const CLOUDFRONT = {
  'ap-northeast-1': { prefixList: 'pl-58a04531' },
  'ap-northeast-2': { prefixList: 'pl-22a6434b' },
  'ap-northeast-3': { prefixList: 'pl-31a14458' },
  'ap-south-1': { prefixList: 'pl-9aa247f3' },
  'ap-southeast-1': { prefixList: 'pl-31a34658' },
  'ap-southeast-2': { prefixList: 'pl-b8a742d1' },
  'ca-central-1': { prefixList: 'pl-38a64351' },
  'eu-central-1': { prefixList: 'pl-a3a144ca' },
  'eu-north-1': { prefixList: 'pl-fab65393' },
  'eu-west-1': { prefixList: 'pl-4fa04526' },
  'eu-west-2': { prefixList: 'pl-93a247fa' },
  'eu-west-3': { prefixList: 'pl-75b1541c' },
  'sa-east-1': { prefixList: 'pl-5da64334' },
  'us-east-1': { prefixList: 'pl-3b927c52' },
  'us-east-2': { prefixList: 'pl-b6a144df' },
  'us-west-1': { prefixList: 'pl-4ea04527' },
  'us-west-2': { prefixList: 'pl-82a045eb' },
};

/** Where CloudFront can reach an instance, and this stack knows from which addresses. */
export const STREAM_REGIONS: readonly string[] = Object.keys(CLOUDFRONT);

/** The smallest network that CloudFront can reach an instance in: one subnet from which no route leads out, and ways
 *  to S3 and DynamoDB. Nothing in it is billed. */
export class StreamNetwork extends Construct {
  readonly subnetId: string;
  readonly securityGroupId: string;
  /** What must be there before an instance starts. */
  readonly ways: readonly Construct[];

  constructor(scope: Construct, id: string, { port, reaches, zone }: StreamNetworkProps) {
    super(scope, id);
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr('10.107.0.0/27'), // meets no other network
      availabilityZones: [zone ?? Fn.select(0, Fn.getAzs())],
      subnetConfiguration: [{ name: 'Stream', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 28 }],
      natGateways: 0,
      restrictDefaultSecurityGroup: false, // nothing is in it, and a function of the CDK's would have to empty it
    });
    this.subnetId = vpc.isolatedSubnets[0]?.subnetId ?? '';
    this.securityGroupId = this.#admitCloudFront(vpc, port);
    this.ways = [this.#gateway(vpc), ...this.#endpoints(vpc, reaches)];
    Validations.of(vpc).acknowledge({
      id: 'AwsSolutions-VPC7',
      reason:
        'One instance that only CloudFront reaches; what it is asked, it logs. Flow logs would cost more.',
    });
  }

  #admitCloudFront(vpc: Vpc, port: number): string {
    const addresses = new CfnMapping(this, 'CloudFront', { mapping: CLOUDFRONT });
    return new CfnSecurityGroup(this, 'SecurityGroup', {
      vpcId: vpc.vpcId,
      groupDescription: 'The stream host of Stowage: requests by CloudFront alone',
      securityGroupIngress: [
        {
          description: 'CloudFront',
          ipProtocol: 'tcp',
          fromPort: port,
          toPort: port,
          sourcePrefixListId: addresses.findInMap(Aws.REGION, 'prefixList'),
        },
      ],
      // There is no way to anything but S3 and DynamoDB.
      securityGroupEgress: [{ description: 'S3 and DynamoDB', ipProtocol: '-1', cidrIp: '0.0.0.0/0' }],
    }).attrGroupId;
  }

  /** CloudFront demands one of a network that it is to reach. No route leads to it, so nothing passes. */
  #gateway(vpc: Vpc): Construct {
    const gateway = new CfnInternetGateway(this, 'Gateway');
    return new CfnVPCGatewayAttachment(this, 'GatewayAttachment', {
      vpcId: vpc.vpcId,
      internetGatewayId: gateway.attrInternetGatewayId,
    });
  }

  #endpoints(vpc: Vpc, { s3, dynamodb }: StreamNetworkProps['reaches']): Construct[] {
    const services = [
      { id: 'S3', service: GatewayVpcEndpointAwsService.S3, prefix: 's3', resources: s3 },
      {
        id: 'DynamoDb',
        service: GatewayVpcEndpointAwsService.DYNAMODB,
        prefix: 'dynamodb',
        resources: dynamodb,
      },
    ];
    return services.map(({ id, service, prefix, resources }) => {
      const endpoint = vpc.addGatewayEndpoint(id, { service });
      const principals = [new AnyPrincipal()]; // whoever is in this network: the instance's role decides the rest
      endpoint.addToPolicy(
        new PolicyStatement({ principals, actions: [`${prefix}:*`], resources: [...resources] }),
      );
      return endpoint;
    });
  }
}
