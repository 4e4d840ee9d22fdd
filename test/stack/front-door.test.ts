import { describe, expect, it } from 'vitest';
import { ANSWER_HEADERS, ENV, FRONT_HEADERS, ORIGINS } from '../../functions/environment.ts';
import { edgeCode } from '../../lib/edge-code.ts';
import { EVERYTHING, onlyResource, type Resource, resourcesOf, synthesize } from './synthesize.ts';

const template = synthesize({ streamHost: 'none' });
const withEverything = synthesize(EVERYTHING);

const CACHING_DISABLED = '4135ea2d-6df8-44a3-9df3-4b5a84be39ad';
const CACHING_OPTIMIZED = '658327ea-f89d-4fab-a63d-7e88639e58f6';
const ALL_VIEWER_EXCEPT_HOST_HEADER = 'b689b0a8-53d0-40ab-baf2-68738e2966ac';
const ALL_METHODS = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'POST', 'DELETE'];
const configOf = (of: typeof template) =>
  onlyResource(of, 'AWS::CloudFront::Distribution').Properties.DistributionConfig;
const pathsOf = (of: typeof template) =>
  configOf(of).CacheBehaviors.map(({ PathPattern }: Resource['Properties']) => PathPattern);
const originsOf = (of: typeof template) =>
  new Map<string, Resource['Properties']>(
    configOf(of).Origins.map((origin: { readonly Id: string }) => [origin.Id, origin]),
  );
const attribute = (of: typeof template, type: string, name: string) => ({
  'Fn::GetAtt': [resourcesOf(of, type).keys().next().value, name],
});

describe('the front door', () => {
  const config = configOf(template);

  it('speaks HTTP/2 and 3, over IPv4 and IPv6', () => {
    expect(config).toMatchObject({ Enabled: true, HttpVersion: 'http2and3', IPV6Enabled: true });
  });

  it('takes every method, remembers nothing, changes no bytes and passes on all but the Host header', () => {
    const { DefaultCacheBehavior } = config;
    expect(DefaultCacheBehavior).toMatchObject({
      TargetOriginId: ORIGINS.api,
      CachePolicyId: CACHING_DISABLED,
      OriginRequestPolicyId: ALL_VIEWER_EXCEPT_HOST_HEADER,
      Compress: false,
    });
    expect(new Set(DefaultCacheBehavior.AllowedMethods)).toEqual(new Set(ALL_METHODS));
  });

  it('remembers blobs, and the files of the web page, whose names change with their content', () => {
    const [, assets] = config.CacheBehaviors;
    expect(pathsOf(template)).toEqual(['/blobs/*', '/assets/*']);
    expect(assets).toMatchObject({
      TargetOriginId: ORIGINS.api,
      AllowedMethods: ['GET', 'HEAD'],
      CachePolicyId: CACHING_OPTIMIZED,
      ViewerProtocolPolicy: 'https-only',
      Compress: true,
      FunctionAssociations: config.DefaultCacheBehavior.FunctionAssociations,
    });
    expect(assets).not.toHaveProperty('OriginRequestPolicyId');
    expect(pathsOf(synthesize({ page: false }))).toEqual(['/blobs/*']);
  });

  it('has every answer tell browsers to load, run and show nothing of it, downloads too', () => {
    for (const of of [template, withEverything]) {
      const type = 'AWS::CloudFront::ResponseHeadersPolicy';
      const { ResponseHeadersPolicyConfig } = onlyResource(of, type).Properties;
      expect(ResponseHeadersPolicyConfig.SecurityHeadersConfig).toEqual({
        ContentTypeOptions: { Override: true },
        ContentSecurityPolicy: {
          ContentSecurityPolicy: ANSWER_HEADERS['Content-Security-Policy'],
          Override: false, // the web page says another one itself
        },
      });
      const { DefaultCacheBehavior, CacheBehaviors = [] } = configOf(of);
      for (const behavior of [DefaultCacheBehavior, ...CacheBehaviors])
        expect(behavior.ResponseHeadersPolicyId).toEqual(attribute(of, type, 'Id'));
    }
  });

  it('refuses plain HTTP: a redirect would come after the password', () => {
    expect(config.DefaultCacheBehavior.ViewerProtocolPolicy).toBe('https-only');
  });

  it('does not remember errors either: a blob that was missing a second ago may be there now', () => {
    const remembered = config.CustomErrorResponses as readonly { readonly ErrorCode: number }[];
    expect(new Set(remembered.map(({ ErrorCode }) => ErrorCode))).toEqual(
      new Set([400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504]), // all that CloudFront caches
    );
    for (const response of remembered) {
      expect(response).toEqual({ ErrorCode: response.ErrorCode, ErrorCachingMinTTL: 0 });
    }
  });

  it('is where the registry is for its user', () => {
    const name = attribute(template, 'AWS::CloudFront::Distribution', 'DomainName');
    template.hasOutput('Url', { Value: { 'Fn::Join': ['', ['https://', name]] } });
  });
});

describe('the functions at the edge', () => {
  const { FunctionAssociations } = configOf(template).DefaultCacheBehavior;
  const functions = resourcesOf(template, 'AWS::CloudFront::Function');

  it.each(['viewer-request', 'viewer-response'] as const)(
    '%s is the code that the tests of the edge run',
    (eventType) => {
      const association = FunctionAssociations.find(
        ({ EventType }: { readonly EventType: string }) => EventType === eventType,
      );
      const { Properties } = functions.get(association.FunctionARN['Fn::GetAtt'][0]) ?? {};
      expect(Properties.FunctionCode).toBe(edgeCode(eventType));
      expect(Properties.FunctionConfig.Runtime).toBe('cloudfront-js-2.0');
      expect(Properties.AutoPublish).toBe(true);
    },
  );

  it('find the keys in a store that only the one for requests reads', () => {
    expect(functions.size).toBe(2);
    const stores = [...functions.values()].flatMap(
      ({ Properties }) => Properties.FunctionConfig.KeyValueStoreAssociations ?? [],
    );
    expect(stores).toEqual([
      { KeyValueStoreARN: attribute(template, 'AWS::CloudFront::KeyValueStore', 'Arn') },
    ]);
  });
});

describe('the origins', () => {
  const origins = originsOf(withEverything);
  const secret = [
    {
      HeaderName: FRONT_HEADERS.secret,
      HeaderValue: attribute(withEverything, 'Custom::FrontKeys', 'Secret'),
    },
  ];

  it('have the ids that the edge function chooses by', () => {
    expect([...originsOf(template).keys()]).toEqual([ORIGINS.api, ORIGINS.blobs]);
    expect([...origins.keys()]).toEqual([ORIGINS.api, ORIGINS.blobs, ORIGINS.stream]);
  });

  it('API and stream host are told the secret, which lets in the front door alone; S3 is not', () => {
    expect(origins.get(ORIGINS.api).OriginCustomHeaders).toEqual(secret);
    expect(origins.get(ORIGINS.stream).OriginCustomHeaders).toEqual(secret);
    expect(origins.get(ORIGINS.blobs)).not.toHaveProperty('OriginCustomHeaders');
  });

  it('the secret can be another one, and the API still lets in the one before', () => {
    const rotated = synthesize({ frontRotation: '2' });
    expect(onlyResource(rotated, 'Custom::FrontKeys').Properties.Rotation).toBe('2');
    const accepted = attribute(rotated, 'Custom::FrontKeys', 'Accepted');
    rotated.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { [ENV.frontSecretHash]: accepted } },
    });
  });

  it('the API is reached by TLS 1.2, and given up only after the gateway has given up', () => {
    expect(origins.get(ORIGINS.api).CustomOriginConfig).toMatchObject({
      OriginProtocolPolicy: 'https-only',
      OriginSSLProtocols: ['TLSv1.2'],
      OriginReadTimeout: 35,
    });
  });

  it('S3 and the stream host have as long to answer as CloudFront grants', () => {
    expect(origins.get(ORIGINS.blobs).S3OriginConfig.OriginReadTimeout).toBe(120);
    expect(origins.get(ORIGINS.stream).VpcOriginConfig.OriginReadTimeout).toBe(120);
  });

  it('S3 gets every request signed by CloudFront, in place of what the client sent', () => {
    expect(origins.get(ORIGINS.blobs).OriginAccessControlId).toEqual(
      attribute(withEverything, 'AWS::CloudFront::OriginAccessControl', 'Id'),
    );
    const { Properties } = onlyResource(withEverything, 'AWS::CloudFront::OriginAccessControl');
    expect(Properties.OriginAccessControlConfig).toMatchObject({
      OriginAccessControlOriginType: 's3',
      SigningBehavior: 'always',
      SigningProtocol: 'sigv4',
    });
  });
});

describe('downloads through the front door', () => {
  const [behavior, assets, ...more] = configOf(withEverything).CacheBehaviors;

  it('need a URL that the registry has signed', () => {
    const [group] = resourcesOf(withEverything, 'AWS::CloudFront::KeyGroup').keys();
    const [key] = resourcesOf(withEverything, 'AWS::CloudFront::PublicKey').keys();
    expect(assets.PathPattern).toBe('/assets/*');
    expect(more).toEqual([]);
    expect(behavior).toMatchObject({
      PathPattern: '/blobs/*',
      TargetOriginId: ORIGINS.blobs,
      TrustedKeyGroups: [{ Ref: group }],
      AllowedMethods: ['GET', 'HEAD'],
      ViewerProtocolPolicy: 'https-only',
      Compress: false,
    });
    const { KeyGroupConfig } = onlyResource(withEverything, 'AWS::CloudFront::KeyGroup').Properties;
    expect(KeyGroupConfig.Items).toEqual([{ Ref: key }]);
    const { PublicKeyConfig } = onlyResource(withEverything, 'AWS::CloudFront::PublicKey').Properties;
    expect(PublicKeyConfig.EncodedKey).toEqual(attribute(withEverything, 'Custom::FrontKeys', 'PublicKey'));
  });

  it('are remembered by path alone: every signature means the same bytes', () => {
    const { CachePolicyConfig } = onlyResource(withEverything, 'AWS::CloudFront::CachePolicy').Properties;
    expect(CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin).toEqual({
      CookiesConfig: { CookieBehavior: 'none' },
      HeadersConfig: { HeaderBehavior: 'none' },
      QueryStringsConfig: { QueryStringBehavior: 'none' },
      EnableAcceptEncodingGzip: false,
    });
    expect(behavior.CachePolicyId).toEqual(attribute(withEverything, 'AWS::CloudFront::CachePolicy', 'Id'));
    expect(behavior).not.toHaveProperty('OriginRequestPolicyId');
  });

  it('have their answers put right, and pass no check of requests', () => {
    const types = behavior.FunctionAssociations.map(
      ({ EventType }: { readonly EventType: string }) => EventType,
    );
    expect(types).toEqual(['viewer-response']);
  });

  it('have their way and their key whether clients are sent along it or not, the same one', () => {
    expect(configOf(template).CacheBehaviors).toEqual(
      configOf(synthesize({ streamHost: 'none', downloads: 'cdn' })).CacheBehaviors,
    );
    for (const type of ['KeyGroup', 'PublicKey', 'CachePolicy']) {
      const resources = resourcesOf(template, `AWS::CloudFront::${type}`);
      expect(resources.size).toBe(1);
      expect(resources).toEqual(resourcesOf(withEverything, `AWS::CloudFront::${type}`));
    }
  });

  it('have a key that no other region and no other rotation has a name or reference in common with', () => {
    const keyOf = (of: typeof template) =>
      onlyResource(of, 'AWS::CloudFront::PublicKey').Properties.PublicKeyConfig;
    const rotated = synthesize({ downloadKeyRotation: '2' });
    for (const name of ['Name', 'CallerReference']) {
      expect(keyOf(template)[name]['Fn::Join'][1].at(-1)).toEqual({ Ref: 'AWS::Region' });
      expect(keyOf(rotated)[name]).not.toEqual(keyOf(template)[name]);
    }
    const idOf = (of: typeof template) => [...resourcesOf(of, 'AWS::CloudFront::PublicKey').keys()][0];
    expect(idOf(rotated)).not.toBe(idOf(template)); // CloudFront changes no key
    expect(onlyResource(rotated, 'Custom::FrontKeys').Properties.DownloadKeyParameter).toBe(
      '/stowage/Stowage/download-key-2',
    );
  });
});

describe('a domain name', () => {
  const certificateArn =
    'arn:aws:acm:us-east-1:111122223333:certificate/0a1b2c3d-0000-4444-8888-0123456789ab';
  const domainName = 'registry.example.com';

  it('is served with TLS 1.2 or newer', () => {
    const config = configOf(synthesize({ domainName, certificateArn }));
    expect(config.Aliases).toEqual([domainName]);
    expect(config.ViewerCertificate).toEqual({
      AcmCertificateArn: certificateArn,
      MinimumProtocolVersion: 'TLSv1.2_2021',
      SslSupportMethod: 'sni-only',
    });
  });

  it('is the address that users are told', () => {
    synthesize({ domainName, certificateArn }).hasOutput('Url', { Value: `https://${domainName}` });
  });

  it('gets its records and its certificate where there is a zone', () => {
    const { HostedZoneId, RecordSets } = onlyResource(
      withEverything,
      'AWS::Route53::RecordSetGroup',
    ).Properties;
    expect(HostedZoneId).toBe(EVERYTHING.hostedZoneId);
    expect(RecordSets.map(({ Name, Type }: Record<string, string>) => [Name, Type])).toEqual([
      [domainName, 'A'],
      [domainName, 'AAAA'],
    ]);
    const [certificate] = resourcesOf(withEverything, 'AWS::CertificateManager::Certificate').keys();
    expect(configOf(withEverything).ViewerCertificate.AcmCertificateArn).toEqual({ Ref: certificate });
  });

  it('gets no second certificate where there is one', () => {
    const { hostedZoneId } = EVERYTHING;
    const given = synthesize({ domainName, certificateArn, hostedZoneId });
    given.resourceCountIs('AWS::CertificateManager::Certificate', 0);
    given.resourceCountIs('AWS::Route53::RecordSetGroup', 1);
  });
});

it('a web ACL is attached where one is named', () => {
  expect(configOf(withEverything).WebACLId).toBe(EVERYTHING.webAclArn);
  expect(configOf(template)).not.toHaveProperty('WebACLId');
});

it('a budget tells by mail before the month passes it, and when the month is on its way beyond', () => {
  const { Budget, NotificationsWithSubscribers } = onlyResource(
    withEverything,
    'AWS::Budgets::Budget',
  ).Properties;
  expect(Budget).toMatchObject({
    BudgetType: 'COST',
    TimeUnit: 'MONTHLY',
    BudgetLimit: { Amount: 10, Unit: 'USD' },
  });
  expect(NotificationsWithSubscribers).toEqual([
    {
      Notification: expect.objectContaining({ NotificationType: 'ACTUAL', Threshold: 80 }),
      Subscribers: [{ SubscriptionType: 'EMAIL', Address: EVERYTHING.alarmEmail }],
    },
    {
      Notification: expect.objectContaining({ NotificationType: 'FORECASTED', Threshold: 100 }),
      Subscribers: [{ SubscriptionType: 'EMAIL', Address: EVERYTHING.alarmEmail }],
    },
  ]);
  const other = synthesize({ ...EVERYTHING, budgetEmail: 'money@example.com' });
  expect(JSON.stringify(onlyResource(other, 'AWS::Budgets::Budget'))).toContain('money@example.com');
});
