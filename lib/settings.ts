import type { Node } from 'constructs';
import type { StowageStackProps } from './stowage-stack.ts';

interface Option {
  /** What was given, as the stack takes it; undefined where it has no meaning that would be no guess. */
  readonly read: (value: unknown) => unknown;
  /** What may be given, for a message. */
  readonly is: string;
}

/** CloudFront and what belongs to it know no other region. */
const CLOUDFRONT_REGION = 'us-east-1';

const flag: Option = {
  // The command line gives text, cdk.json may give a boolean.
  read: (value) => ({ true: true, false: false })[String(value)],
  is: 'true or false',
};
const email = matching(/^\S+@\S+$/, 'an address');

/** Every option, with what it may be: docs/deploy.md says what it does and what it costs. */
const OPTIONS = {
  keepData: flag,
  alarms: flag,
  alarmEmail: email,
  accessLogs: flag,
  domainName: matching(/^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/, 'a host name'),
  certificateArn: matching(
    /^arn:aws:acm:us-east-1:\d{12}:certificate\/[\w-]+$/,
    'the ARN of a certificate in us-east-1',
  ),
  hostedZoneId: matching(/^Z[A-Z0-9]{5,32}$/, 'the id of a hosted zone'),
  webAclArn: matching(
    /^arn:aws:wafv2:us-east-1:\d{12}:global\/webacl\/\S+$/,
    'the ARN of a web ACL for CloudFront',
  ),
  priceClass: oneOf('100', '200', 'all'),
  downloads: oneOf('s3', 'cdn'),
  heads: oneOf('answered', 'redirected'),
  streamHost: oneOf('none', 'instance'),
  streamHostZone: matching(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, 'an availability zone'),
  frontRotation: matching(/^[\w.-]{1,64}$/, 'a name of letters and digits'),
  downloadKeyRotation: matching(/^[a-zA-Z0-9]{1,16}$/, 'a short name of letters and digits'),
  stackName: matching(/^[A-Za-z][A-Za-z0-9-]{0,29}$/, 'a name of at most 30 letters, digits and hyphens'),
  tableName: matching(/^[\w.-]{3,255}$/, 'the name of a table'),
  bucketName: matching(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, 'the name of a bucket, without dots'),
  kmsKeyArn: matching(/^arn:aws:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/, 'the ARN of a key of KMS'),
  permissionsBoundaryArn: matching(/^arn:aws:iam::(\d{12}|aws):policy\/\S+$/, 'the ARN of a managed policy'),
  iamPath: matching(/^\/([\w+=,.@-]+\/)+$/, 'a path that begins and ends with a slash'),
  qualifier: matching(/^[a-z0-9]{1,10}$/, 'up to ten small letters and digits'),
  epochHours: { read: wholeFrom(1, 168), is: 'a number of hours, 1 to 168' },
  quarantineDays: { read: wholeFrom(0, 365), is: 'a number of days, 0 to 365' },
  monthlyBudgetUsd: { read: amountFrom, is: 'an amount above 0' },
  budgetEmail: email,
} satisfies { readonly [N in keyof StowageStackProps]?: Option };

type OptionName = keyof typeof OPTIONS;
type Settings = Pick<StowageStackProps, OptionName>;

export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

/** What whoever deploys may set, with `cdk deploy -c alarmEmail=you@example.com` or in cdk.json below `context`.
 *  Throws for a name it does not know, a value that it would have to guess the meaning of, and what does not go
 *  together. `region` is where the stack goes, as far as that is known. */
export function settingsFrom(context: Node, region?: string): Settings {
  refuseOtherPartitions(region);
  refuseUnknown(Object.keys(context.getAllContext()));
  const given = OPTION_NAMES.map((name) => [name, context.tryGetContext(name)] as const);
  const read = given
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => readOption(name, value));
  const settings: Settings = Object.fromEntries(read);
  refuseContradictions(settings, region);
  return settings;
}

/** By what their names begin with: no CloudFront, or none with the functions and the KeyValueStore that the front door is made of.
 *  https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-cf.html and the like */
const OTHER_PARTITIONS: Readonly<Record<string, string>> = {
  'us-gov-': 'AWS GovCloud',
  'cn-': 'AWS China',
  'us-iso': 'the isolated regions of AWS',
  'eu-isoe-': 'the isolated regions of AWS',
  'eusc-': 'the AWS European Sovereign Cloud',
};

function refuseOtherPartitions(region = ''): void {
  const [, where] = Object.entries(OTHER_PARTITIONS).find(([start]) => region.startsWith(start)) ?? [];
  if (where === undefined) return;
  throw new Error(
    `${region} belongs to ${where}, which has no CloudFront with functions and keys at the edge: the registry's front door cannot be there. ` +
      'Deploy to a region of the commercial partition, or run the registry on a machine of your own (npm start)',
  );
}

function readOption(name: OptionName, value: unknown): [OptionName, unknown] {
  const { read, is } = OPTIONS[name];
  const setting = read(value);
  if (setting === undefined) throw new Error(`${name} is ${is}, not ${JSON.stringify(value)}`);
  return [name, setting];
}

/** All names of the CDK's own have a sign in them; what is letters alone was meant for us. */
function refuseUnknown(names: readonly string[]): void {
  const ours: readonly string[] = OPTION_NAMES;
  const unknown = names.find((name) => /^[a-zA-Z]+$/.test(name) && !ours.includes(name));
  if (unknown === undefined) return;
  throw new Error(`there is no option ${unknown}; there are ${ours.join(', ')}`);
}

function refuseContradictions(settings: Settings, region: string | undefined): void {
  const { domainName, certificateArn, hostedZoneId, streamHost, streamHostZone, alarmEmail } = settings;
  refuse(
    !domainName && (certificateArn ?? hostedZoneId),
    'certificateArn and hostedZoneId belong to a domainName',
  );
  refuse(
    domainName && !certificateArn && !hostedZoneId,
    'domainName needs a certificateArn, or a hostedZoneId in which to prove that the domain is yours',
  );
  refuse(
    domainName && !certificateArn && region && region !== CLOUDFRONT_REGION,
    `CloudFront wants its certificate in ${CLOUDFRONT_REGION}, and this stack goes to ${region}: ` +
      'make one there and name it with certificateArn',
  );
  refuse(streamHostZone && streamHost !== 'instance', 'streamHostZone belongs to streamHost=instance');
  refuse(
    region && streamHostZone && !streamHostZone.startsWith(region),
    `${streamHostZone} is no zone of ${region}, where this stack goes`,
  );
  const { keepData, tableName, bucketName, kmsKeyArn } = settings;
  refuse(
    keepData === false && (tableName ?? bucketName),
    'keepData=false is for a table and a bucket that the stack makes, not for tableName and bucketName',
  );
  refuse(
    region && kmsKeyArn && !kmsKeyArn.startsWith(`arn:aws:kms:${region}:`),
    `kmsKeyArn names a key of another region than ${region}, where this stack goes`,
  );
  const { monthlyBudgetUsd, budgetEmail } = settings;
  refuse(budgetEmail && !monthlyBudgetUsd, 'budgetEmail belongs to a monthlyBudgetUsd');
  refuse(
    monthlyBudgetUsd && !budgetEmail && !alarmEmail,
    'monthlyBudgetUsd needs somebody to tell: set budgetEmail',
  );
}

function refuse(isWrong: unknown, message: string): void {
  if (isWrong) throw new Error(message);
}

function matching(pattern: RegExp, is: string): Option {
  return { read: (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined), is };
}

/** A number in cdk.json is as good as text. */
function oneOf(...values: readonly string[]): Option {
  return { read: (value) => values.find((known) => known === String(value)), is: values.join(' or ') };
}

function wholeFrom(least: number, most: number): Option['read'] {
  return (value) => {
    const number = typeof value === 'string' && /^\d{1,4}$/.test(value) ? Number(value) : value;
    return Number.isInteger(number) && (number as number) >= least && (number as number) <= most
      ? number
      : undefined;
  };
}

function amountFrom(value: unknown): number | undefined {
  const amount = typeof value === 'string' && /^\d+(\.\d{1,2})?$/.test(value) ? Number(value) : value;
  return typeof amount === 'number' && amount > 0 ? amount : undefined;
}
