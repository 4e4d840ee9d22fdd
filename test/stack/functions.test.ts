import { describe, expect, it } from 'vitest';
import { API_GB, COMMIT_GB } from '../../cli/cost/quantities.ts';
import { ENV } from '../../functions/environment.ts';
import { UPLOAD_EVENTS } from '../aws/front/events.ts';
import { functionThat, list } from './permissions.ts';
import { EVERYTHING, onlyResource, resourcesOf, synthesize } from './synthesize.ts';

const template = synthesize({ alarmEmail: 'ops@example.com' });
const withEverything = synthesize(EVERYTHING);

const api = functionThat(/answers every request/, template);
const expire = functionThat(/time has come/, template);
const sweep = functionThat(/nothing uses any more/, template);
const rotateKeys = functionThat(/access tokens are signed/, template);
const commitUploads = functionThat(/went past the registry/, template);
const frontKeys = functionThat(/secret of the front door/, template);

describe.each([
  [
    'the API',
    api.properties,
    [
      ENV.table,
      ENV.bucket,
      ENV.signingKeys,
      ENV.frontSecretHash,
      ENV.downloads,
      ENV.downloadKey,
      ENV.downloadKeyId,
    ],
    29,
  ],
  ['the hourly job', expire.properties, [ENV.table, ENV.bucket], 900],
  ['the sweep', sweep.properties, [ENV.table, ENV.bucket], 900],
  ['the job that rotates keys', rotateKeys.properties, [ENV.signingKeys, ENV.frontStore], 100],
  ['finishing uploads', commitUploads.properties, [ENV.table, ENV.bucket], 30],
  ["the front door's keys", frontKeys.properties, [], 120],
])('the function of %s', (_, { Runtime, Architectures, Environment, Timeout }, names, seconds) => {
  it('runs on Node 24 and ARM', () => {
    expect({ Runtime, Architectures }).toEqual({ Runtime: 'nodejs24.x', Architectures: ['arm64'] });
  });

  it('is told where its things are, by the names that entry points read, and nothing else', () => {
    expect(new Set(Object.keys(Environment?.Variables ?? {}))).toEqual(new Set(names));
  });

  it('has time enough, and Lambda grants it', () => {
    expect(Timeout).toBe(seconds);
  });
});

describe('how long sweeps leave things alone', () => {
  it('is told to whoever sweeps, the schedule and the API', () => {
    const of = synthesize({ epochHours: 2, quarantineDays: 30 });
    for (const does of [/nothing uses any more/, /answers every request/]) {
      expect(functionThat(does, of).properties.Environment.Variables).toMatchObject({
        [ENV.epochSeconds]: '7200',
        [ENV.quarantineSeconds]: '2592000',
      });
    }
  });
});

describe('the memory', () => {
  it('is what "stowage cost" reckons with', () => {
    expect(api.properties.MemorySize).toBe(API_GB * 1024);
    expect(commitUploads.properties.MemorySize).toBe(COMMIT_GB * 1024);
  });
});

describe('a request', () => {
  it('ends in the function before the gateway gives it up after 30 s', () => {
    expect(api.properties.Timeout).toBeLessThan(30);
  });

  it('reaches the function whatever its method and path, with payload 2.0', () => {
    template.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: '$default' });
    template.resourceCountIs('AWS::ApiGatewayV2::Route', 1);
    template.hasResourceProperties('AWS::ApiGatewayV2::Integration', { PayloadFormatVersion: '2.0' });
  });

  it('is let in by the gateway whoever sends it: the registry asks for logins', () => {
    const route = onlyResource(template, 'AWS::ApiGatewayV2::Route');
    expect(route.Properties.AuthorizationType ?? 'NONE').toBe('NONE');
    template.resourceCountIs('AWS::ApiGatewayV2::Authorizer', 0);
  });

  it('finds signing keys: gateway and front door are there only when a deployment has made them', () => {
    const [trigger] = resourcesOf(template, 'Custom::Trigger').keys();
    const { DependsOn } = onlyResource(template, 'AWS::CloudFront::Distribution');
    expect(DependsOn).toContain(trigger);
    for (const type of ['Api', 'Stage', 'Route', 'Integration']) {
      template.hasResource(`AWS::ApiGatewayV2::${type}`, { DependsOn: [trigger] });
    }
  });
});

describe('the signing keys', () => {
  const trigger = onlyResource(template, 'Custom::Trigger');

  it('are made by a deployment, once the job may make them', () => {
    const before = trigger.DependsOn ?? [];
    expect(before.filter((id) => id.startsWith('RotateKeysRoleDefaultPolicy'))).toHaveLength(1);
    const version = onlyResource(template, 'AWS::Lambda::Version');
    expect(version.Properties.FunctionName.Ref).toMatch(/^RotateKeysHandler/);
    expect(resourcesOf(template, 'AWS::Lambda::Version').keys().next().value).toBe(
      trigger.Properties.HandlerArn.Ref,
    );
  });

  it('are waited for longer than the job may take', () => {
    expect(Number(trigger.Properties.Timeout)).toBeGreaterThan(rotateKeys.properties.Timeout * 1000);
  });

  it('are told to a user by name', () => {
    template.hasOutput('SigningKeysParameter', { Value: '/stowage/Stowage/signing-keys' });
  });
});

describe('with every option', () => {
  const variablesOf = (does: RegExp) => functionThat(does, withEverything).properties.Environment.Variables;

  it('the API signs downloads for CloudFront', () => {
    const [publicKey] = resourcesOf(withEverything, 'AWS::CloudFront::PublicKey').keys();
    expect(variablesOf(/answers every request/)).toMatchObject({
      [ENV.downloads]: 'cdn',
      [ENV.heads]: 'redirected',
      [ENV.downloadKey]: '/stowage/Stowage/download-key',
      [ENV.downloadKeyId]: { Ref: publicKey },
    });
  });

  it('the job that rotates keys tells the stream host the keys', () => {
    const variables = variablesOf(/access tokens are signed/);
    expect(variables[ENV.keysObject]).toBe('keys/signing-keys');
    expect(variables[ENV.bucket]).toEqual({ Ref: expect.stringMatching(/^BlobsBucket/) });
  });
});

describe('an object that was uploaded past the registry', () => {
  const rule = [...resourcesOf(template, 'AWS::Events::Rule').values()].find(
    ({ Properties }) => Properties.EventPattern,
  );

  it('is told to the function that finishes its upload, if it can be one', () => {
    const { bucket, ...detail } = rule?.Properties.EventPattern.detail ?? {};
    expect(bucket).toEqual({ name: [{ Ref: expect.stringMatching(/^BlobsBucket/) }] });
    // As the harness hands out events.
    const account = JSON.stringify({ Ref: 'AWS::AccountId' });
    const found = JSON.stringify({ ...rule?.Properties.EventPattern, detail }).replace(
      account,
      '"123456789012"',
    );
    expect(JSON.parse(found)).toEqual(UPLOAD_EVENTS);
    const [{ Arn }] = rule?.Properties.Targets ?? [];
    expect(Arn['Fn::GetAtt'][0]).toMatch(/^CommitUploadsHandler/);
  });
});

it('the jobs run every hour and every day', () => {
  const rules = [...resourcesOf(template, 'AWS::Events::Rule').values()];
  const schedules = rules.flatMap(({ Properties }) => list(Properties.ScheduleExpression ?? []));
  expect(new Set(schedules)).toEqual(new Set(['rate(1 day)', 'rate(1 hour)']));
});

it('tells its user the URL, the table and the bucket', () => {
  for (const name of ['Url', 'ApiUrl', 'TableName', 'BucketName']) template.hasOutput(name, {});
});
