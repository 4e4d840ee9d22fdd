import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { PROBE_NAMES } from '../../cli/doctor/probes.ts';
import { OPTION_NAMES, settingsFrom } from '../../lib/settings.ts';
import { CONTEXT, ROOT } from './synthesize.ts';

const settings = (context: Record<string, unknown>, region?: string) =>
  settingsFrom(new App({ context: { ...CONTEXT, ...context } }).node, region);

const certificateArn = 'arn:aws:acm:us-east-1:111122223333:certificate/0a1b2c3d-0000-4444-8888-0123456789ab';
const hostedZoneId = 'Z0123456789ABCDEFGHIJ';
const domainName = 'registry.example.com';

describe('settings', () => {
  it('are none unless they are given', () => {
    expect(settings({})).toEqual({});
  });

  it('come as text from the command line, or as they are from cdk.json', () => {
    expect(settings({ alarms: 'false', accessLogs: true, keepData: 'true' })).toEqual({
      alarms: false,
      accessLogs: true,
      keepData: true,
    });
    expect(settings({ alarmEmail: 'ops@example.com', monthlyBudgetUsd: '12.50' })).toEqual({
      alarmEmail: 'ops@example.com',
      monthlyBudgetUsd: 12.5,
    });
    expect(settings({ priceClass: 200, monthlyBudgetUsd: 5, budgetEmail: 'a@example.com' })).toEqual({
      priceClass: '200',
      monthlyBudgetUsd: 5,
      budgetEmail: 'a@example.com',
    });
  });

  it('say how long sweeps leave things alone', () => {
    expect(settings({ epochHours: '1', quarantineDays: 0 })).toEqual({ epochHours: 1, quarantineDays: 0 });
    expect(settings({ epochHours: 168, quarantineDays: '365' })).toEqual({
      epochHours: 168,
      quarantineDays: 365,
    });
  });

  it('choose downloads, a stream host with its zone, and a web ACL', () => {
    const given = {
      downloads: 'cdn',
      streamHost: 'instance',
      streamHostZone: 'us-east-1b',
      webAclArn: 'arn:aws:wafv2:us-east-1:111122223333:global/webacl/front/1a2b',
    };
    expect(settings(given)).toEqual(given);
  });

  it.each([{ certificateArn }, { hostedZoneId }, { certificateArn, hostedZoneId }])(
    'take a domain with %o',
    (proof) => {
      expect(settings({ domainName, ...proof }, 'us-east-1')).toEqual({ domainName, ...proof });
    },
  );
});

describe('refused is', () => {
  it.each([
    [{ keepData: 'no' }, 'keepData is true or false, not "no"'],
    [{ alarmEmail: 'ops' }, 'alarmEmail is an address, not "ops"'],
    [{ epochHours: '0.5' }, 'epochHours is a number of hours, 1 to 168, not "0.5"'],
    [{ quarantineDays: 366 }, 'quarantineDays is a number of days, 0 to 365, not 366'],
    [{ streamHost: 'yes' }, 'streamHost is none or instance, not "yes"'],
    [{ streamHost: true }, 'streamHost is none or instance, not true'],
    [{ downloads: 'cloudfront' }, 'downloads is s3 or cdn, not "cloudfront"'],
    [{ priceClass: 'PriceClass_100' }, 'priceClass is 100 or 200 or all, not "PriceClass_100"'],
    [{ monthlyBudgetUsd: '$10' }, 'monthlyBudgetUsd is an amount above 0, not "$10"'],
    [{ monthlyBudgetUsd: '0' }, 'monthlyBudgetUsd is an amount above 0, not "0"'],
    [{ streamHostZone: 'use1-az1' }, 'streamHostZone is an availability zone, not "use1-az1"'],
    [{ webAclArn: 'front' }, 'webAclArn is the ARN of a web ACL for CloudFront, not "front"'],
    [{ hostedZoneId: 'example.com' }, 'hostedZoneId is the id of a hosted zone, not "example.com"'],
  ])('%o, whose meaning would be a guess', (context, message) => {
    expect(() => settings(context)).toThrow(message);
  });

  it.each([
    'https://registry.example.com',
    'registry',
    'registry.example.com/v2',
    'Registry.example.com',
    '',
    true,
  ])('%j as a domain', (name) => {
    expect(() => settings({ domainName: name, certificateArn })).toThrow(
      `domainName is a host name, not ${JSON.stringify(name)}`,
    );
  });

  it('a certificate of another region, which CloudFront could not use', () => {
    const elsewhere = certificateArn.replace('us-east-1', 'eu-central-1');
    expect(() => settings({ domainName, certificateArn: elsewhere })).toThrow(
      'certificateArn is the ARN of a certificate in us-east-1',
    );
  });

  it('a certificate that would be made where CloudFront cannot use it', () => {
    expect(() => settings({ domainName, hostedZoneId }, 'eu-central-1')).toThrow(
      'CloudFront wants its certificate in us-east-1, and this stack goes to eu-central-1',
    );
  });

  it.each([
    [{ domainName }, 'domainName needs a certificateArn, or a hostedZoneId'],
    [{ certificateArn }, 'certificateArn and hostedZoneId belong to a domainName'],
    [{ streamHostZone: 'us-east-1b' }, 'streamHostZone belongs to streamHost=instance'],
    [{ monthlyBudgetUsd: 10 }, 'monthlyBudgetUsd needs somebody to tell'],
    [{ budgetEmail: 'a@example.com' }, 'budgetEmail belongs to a monthlyBudgetUsd'],
  ])('%o, which lacks its other half', (context, message) => {
    expect(() => settings(context)).toThrow(message);
  });

  it('a zone of another region than the stack goes to', () => {
    const given = { streamHost: 'instance', streamHostZone: 'us-east-1b' };
    expect(() => settings(given, 'eu-central-1')).toThrow(
      'us-east-1b is no zone of eu-central-1, where this stack goes',
    );
    expect(settings(given, 'us-east-1')).toEqual(given);
  });

  it.each(['streamhost', 'publicUrl'])('%s, an option that there is not', (name) => {
    expect(() => settings({ [name]: 'x' })).toThrow(`there is no option ${name}; there are keepData, `);
  });
});

it('docs/deploy.md names probes that the doctor has', () => {
  const page = readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8');
  const open = page.slice(page.indexOf('## What has not been tried'));
  const named = [...open.matchAll(/\| ((?:`[\w-]+`(?:, )?)+) +\|$/gm)].flatMap(
    ([, cell]) => cell?.match(/[\w-]+/g) ?? [],
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !PROBE_NAMES.includes(name))).toEqual([]);
});

it('docs/deploy.md says of every option what it does and what it costs, and of no other', () => {
  const page = readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` +\|[^|]+\|[^|]+\|[^|]+\|$/gm)].map(([, name]) => name);
  expect(new Set(rows)).toEqual(new Set(OPTION_NAMES));
  expect(rows).toHaveLength(OPTION_NAMES.length);
});

it.each([
  'us-gov-west-1',
  'us-gov-east-1',
  'cn-north-1',
  'cn-northwest-1',
  'us-iso-east-1',
  'eusc-de-east-1',
])('%s, where there is no such front door, is refused in words', (region) => {
  expect(() => settings({}, region)).toThrow(`${region} belongs to `);
  expect(() => settings({}, region)).toThrow('front door cannot be there');
});
