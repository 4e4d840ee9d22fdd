import { describe, expect, it } from 'vitest';
import { ENV } from '../../functions/environment.ts';
import type { StowageStackProps } from '../../lib/stowage-stack.ts';
import { comesAfter, needsOf, orderOf } from './deployment.ts';
import { onlyResource, type Resource, resourcesOf, synthesize } from './synthesize.ts';

// What the edge is told comes after what it points to, for every option that a live registry may get or lose. An update changes and makes
// what the new template has in the order of its dependencies, and only then deletes what is gone: docs/decisions/0022-options-on-a-live-registry.md.

const FLIPS: Readonly<Record<string, StowageStackProps>> = {
  'downloads by the CDN': { downloads: 'cdn' },
  'a stream host': { streamHost: 'instance' },
  'a stream host that sleeps': { streamHost: 'wake' },
  'a name of its own': { domainName: 'registry.example.com', hostedZoneId: 'Z0123456789ABCDEFGHIJ' },
  'another secret': { frontRotation: '2' },
  'another key of downloads': { downloadKeyRotation: '2' },
  'a web ACL': { webAclArn: 'arn:aws:wafv2:us-east-1:111122223333:global/webacl/front/1a2b' },
  'all places': { priceClass: 'all' },
  'logs and alarms': { accessLogs: true, alarmEmail: 'ops@example.com' },
};

const without = synthesize({ streamHost: 'none' });
const cases = Object.entries(FLIPS).map(([name, props]) => ({
  name,
  props,
  template: synthesize({ streamHost: 'none', ...props }),
}));
const all = [{ name: 'no option', props: {} as StowageStackProps, template: without }, ...cases];

const idsOf = (of: typeof without, type: string) => [...resourcesOf(of, type).keys()];
const distributionOf = (of: typeof without) => idsOf(of, 'AWS::CloudFront::Distribution')[0] ?? '';
const apiOf = (of: typeof without) =>
  idsOf(of, 'AWS::Lambda::Function').find((id) => id.startsWith('ApiHandler')) ?? '';
const variables = ({ Properties }: Resource) => Properties.Environment?.Variables ?? {};

describe.each(all)('with $name, the distribution', ({ template, props }) => {
  const distribution = distributionOf(template);
  const isAfter = (id: string) => comesAfter(template, distribution, id);

  it('can be put in an order with all else', () => {
    expect(orderOf(template)).toHaveLength(needsOf(template).size);
  });

  it('comes after the API, with all that it may do and with all that leads to it', () => {
    const types = ['Integration', 'Route', 'Stage'].map((type) => `AWS::ApiGatewayV2::${type}`);
    const behind = types.flatMap((type) => idsOf(template, type));
    const policies = idsOf(template, 'AWS::IAM::Policy').filter((id) => id.startsWith('ApiRole'));
    const permissions = idsOf(template, 'AWS::Lambda::Permission').filter((id) => id.startsWith('Http'));
    expect([policies.length, permissions.length]).toEqual([1, 1]);
    for (const id of [apiOf(template), ...behind, ...policies, ...permissions])
      expect({ id, isAfter: isAfter(id) }).toEqual({ id, isAfter: true });
  });

  it('comes after the keys in its store, the key of downloads and the secret', () => {
    const types = [
      'Custom::Trigger',
      'Custom::FrontKeys',
      'AWS::CloudFront::PublicKey',
      'AWS::CloudFront::KeyGroup',
    ];
    for (const type of types)
      for (const id of idsOf(template, type))
        expect({ id, isAfter: isAfter(id) }).toEqual({ id, isAfter: true });
  });

  it('comes after its origins, its certificate and its functions; a name that leads to it comes last', () => {
    const types = ['VpcOrigin', 'Function', 'OriginAccessControl', 'CachePolicy'].map(
      (type) => `AWS::CloudFront::${type}`,
    );
    const before = [...types, 'AWS::CertificateManager::Certificate', 'AWS::EC2::Instance'];
    for (const id of before.flatMap((type) => idsOf(template, type)))
      expect({ id, isAfter: isAfter(id) }).toEqual({ id, isAfter: true });
    for (const id of idsOf(template, 'AWS::Route53::RecordSetGroup'))
      expect(comesAfter(template, id, distribution)).toBe(true);
    expect(idsOf(template, 'AWS::CloudFront::VpcOrigin')).toHaveLength(props.streamHost ? 1 : 0);
  });
});

describe.each(cases)('$name, switched on or off,', ({ template, props }) => {
  it('changes no function of the edge where it is, so none runs before its distribution does', () => {
    const functions = resourcesOf(template, 'AWS::CloudFront::Function');
    for (const [id, resource] of resourcesOf(without, 'AWS::CloudFront::Function')) {
      const other = functions.get(id);
      if (other) expect(other).toEqual(resource);
    }
  });

  it('is nothing that the store of keys is told', () => {
    const rotating = (of: typeof without) =>
      [...resourcesOf(of, 'AWS::Lambda::Function').values()].find(({ Properties }) =>
        /access tokens are signed/.test(Properties.Description),
      );
    const told = variables(rotating(template) as Resource);
    const names = Object.keys(told).filter((name) => !(name in variables(rotating(without) as Resource)));
    expect(names).toEqual(props.streamHost ? [ENV.bucket, ENV.keysObject] : []);
  });

  it('changes a redirect of the API only to what is there before and after', () => {
    const apiIn = (of: typeof without) => variables(resourcesOf(of).get(apiOf(of)) as Resource);
    const behaviors = (of: typeof without) =>
      onlyResource(of, 'AWS::CloudFront::Distribution').Properties.DistributionConfig.CacheBehaviors;
    if (apiIn(template)[ENV.downloads] !== apiIn(without)[ENV.downloads])
      expect(behaviors(template)).toEqual(behaviors(without));
    expect(apiIn(template)).not.toHaveProperty(ENV.publicUrl); // clients log in under the name that they have used
  });
});
