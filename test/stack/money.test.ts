import { describe, expect, it } from 'vitest';
import { ALARMS } from '../../cli/cost/quantities.ts';
import { EVERYTHING, onlyResource, resourcesOf, synthesize } from './synthesize.ts';

// What stands between a user and a bill: a closed list of types, each with the reason why it costs nothing while nobody
// uses the registry. A new type goes in here once somebody has looked up its price.
const FREE_WHILE_IDLE = {
  'AWS::ApiGatewayV2::Api': 'by request',
  'AWS::ApiGatewayV2::Integration': 'part of its API',
  'AWS::ApiGatewayV2::Route': 'part of its API',
  'AWS::ApiGatewayV2::Stage': 'part of its API',
  'AWS::CloudFront::CachePolicy': 'free',
  'AWS::CloudFront::Distribution': 'by request and byte, the first 10 million and 1 TB of a month free',
  'AWS::CloudFront::Function': 'by invocation, the first 2 million of a month free',
  'AWS::CloudFront::KeyGroup': 'free',
  'AWS::CloudFront::KeyValueStore': 'by read, $0.03 a million',
  'AWS::CloudFront::OriginAccessControl': 'free',
  'AWS::CloudFront::PublicKey': 'free',
  'AWS::CloudWatch::Alarm': '$0.10 a month each beyond the first ten of an account',
  'AWS::DynamoDB::Table': 'by request and byte',
  'AWS::Events::Rule': "free for AWS's own events",
  'AWS::IAM::Policy': 'free',
  'AWS::IAM::Role': 'free',
  'AWS::Lambda::Function': 'by run',
  'AWS::Lambda::Permission': 'free',
  'AWS::Lambda::Version': 'free',
  'AWS::Logs::LogGroup': 'by byte',
  'AWS::Logs::MetricFilter':
    'free; its metric, $0.30 a month, only for hours in which a limit of downloads is near',
  'AWS::S3::Bucket': 'by request and byte',
  'AWS::CloudFront::ResponseHeadersPolicy': 'free',
  'AWS::S3::BucketPolicy': 'free',
  'Custom::FrontKeys': 'a run of a function',
  'Custom::Trigger': 'a run of a function',
};

/** What options bring, and cost nothing either. */
const FREE_OPTIONS = {
  'AWS::Budgets::Budget': 'free as long as it only tells',
  'AWS::CertificateManager::Certificate': 'free for CloudFront',
  'AWS::Route53::RecordSetGroup': 'part of its zone; queries of aliases of CloudFront are free',
  'AWS::SNS::Subscription': 'by mail, the first 1000 of a month free',
  'AWS::SNS::Topic': 'by message, the first million of a month free',
  'AWS::SNS::TopicPolicy': 'free',
};

/** What the stream host alone brings; only the first is billed. */
const STREAM_HOST = {
  'AWS::EC2::Instance': '$3.07 a month, and $0.64 for its volume',
  'AWS::CloudFront::VpcOrigin': 'free',
  'AWS::EC2::InternetGateway': 'free, and nothing passes it',
  'AWS::EC2::LaunchTemplate': 'free',
  'AWS::EC2::RouteTable': 'free',
  'AWS::EC2::SecurityGroup': 'free',
  'AWS::EC2::Subnet': 'free',
  'AWS::EC2::SubnetRouteTableAssociation': 'free',
  'AWS::EC2::VPC': 'free',
  'AWS::EC2::VPCEndpoint': 'free as a gateway; an interface is $7.30 a month',
  'AWS::EC2::VPCGatewayAttachment': 'free',
  'AWS::IAM::InstanceProfile': 'free',
};

const template = synthesize({ streamHost: 'none' });
const { streamHost: _, ...options } = EVERYTHING;
const withoutInstance = synthesize({ ...options, streamHost: 'none' });
const withEverything = synthesize(EVERYTHING);

const typesOf = (of: typeof template) => new Set([...resourcesOf(of).values()].map(({ Type }) => Type));

describe('what is billed', () => {
  it('watches metrics that AWS makes by itself, which are free, and one of its own that idles at nothing', () => {
    const alarms = [...resourcesOf(withEverything, 'AWS::CloudWatch::Alarm').values()];
    const namespaces = alarms.map(({ Properties }) => `${Properties.Namespace}`);
    expect(new Set(namespaces)).toEqual(new Set(['AWS/ApiGateway', 'AWS/Lambda', 'AWS/EC2', 'Stowage']));
    // A metric of one's own is billed for the hours that have a value, and this one gets none while no limit is near.
    const [own, ...more] = onlyResource(withEverything, 'AWS::Logs::MetricFilter').Properties
      .MetricTransformations;
    expect(more).toEqual([]);
    expect(own).toMatchObject({ MetricNamespace: 'Stowage', MetricName: 'DownloadLimits' });
    expect(own).not.toHaveProperty('DefaultValue');
  });

  it('has no resource that costs money while nobody uses it, but for the disk of a stream host that sleeps', () => {
    expect(typesOf(synthesize())).toEqual(new Set(Object.keys({ ...FREE_WHILE_IDLE, ...STREAM_HOST })));
  });

  it('has none at all without a stream host', () => {
    expect(typesOf(template)).toEqual(new Set(Object.keys(FREE_WHILE_IDLE)));
  });

  it('has none with every option but the stream host either', () => {
    const types = { ...FREE_WHILE_IDLE, ...FREE_OPTIONS };
    expect(typesOf(withoutInstance)).toEqual(new Set(Object.keys(types)));
  });

  it('has one instance, of the smallest kind, with a stream host', () => {
    const types = { ...FREE_WHILE_IDLE, ...FREE_OPTIONS, ...STREAM_HOST };
    expect(typesOf(withEverything)).toEqual(new Set(Object.keys(types)));
    withEverything.resourceCountIs('AWS::EC2::Instance', 1);
    for (const { Properties } of resourcesOf(withEverything, 'AWS::EC2::VPCEndpoint').values()) {
      expect(Properties.VpcEndpointType).toBe('Gateway');
    }
    const { LaunchTemplateData } = onlyResource(withEverything, 'AWS::EC2::LaunchTemplate').Properties;
    expect(LaunchTemplateData.InstanceType).toBe('t4g.nano');
    const [{ Ebs }] = LaunchTemplateData.BlockDeviceMappings;
    expect(Ebs).toMatchObject({ VolumeSize: 8, VolumeType: 'gp3', DeleteOnTermination: true });
  });

  it('has as many alarms as "stowage cost" reckons with, and they can be left out', () => {
    template.resourceCountIs('AWS::CloudWatch::Alarm', ALARMS.none);
    synthesize().resourceCountIs('AWS::CloudWatch::Alarm', ALARMS.wake);
    withEverything.resourceCountIs('AWS::CloudWatch::Alarm', ALARMS.instance);
    synthesize({ ...EVERYTHING, alarms: false }).resourceCountIs('AWS::CloudWatch::Alarm', 0);
  });

  it('has the cheapest of CloudFront unless it is asked for more, and no certificate by address', () => {
    const configOf = (of: typeof template) =>
      onlyResource(of, 'AWS::CloudFront::Distribution').Properties.DistributionConfig;
    expect(configOf(template).PriceClass).toBe('PriceClass_100');
    expect(configOf(template)).not.toHaveProperty('Logging');
    expect(configOf(withEverything).ViewerCertificate.SslSupportMethod).toBe('sni-only');
    for (const origin of configOf(withEverything).Origins) expect(origin).not.toHaveProperty('OriginShield');
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
    { of: withEverything, count: 8, options: 'with the gateway writing one' },
    { of: template, count: 7, options: 'by default' },
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
