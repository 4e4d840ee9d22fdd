import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { StowageStack, type StowageStackProps } from '../../lib/stowage-stack.ts';

export const ROOT = join(import.meta.dirname, '../..');

/** The flags of the CDK that the stack is deployed with. */
export const { context: CONTEXT } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as {
  readonly context: Readonly<Record<string, unknown>>;
};

// The CDK's own checks of a template take seconds to load; test/stack/app.test.ts runs them once.
process.env['CDK_VALIDATION'] = 'false';

/** The stack as it would be deployed, but for its functions, which test/stack/app.test.ts bundles once. */
export function stackWith(props: StowageStackProps = {}, name = 'Stowage'): StowageStack {
  const app = new App({ context: { ...CONTEXT, 'aws:cdk:bundling-stacks': [] }, analyticsReporting: false });
  return new StowageStack(app, name, props);
}

/** Every option at once, as whoever deploys to us-east-1 may set them. */
export const EVERYTHING = {
  alarmEmail: 'ops@example.com',
  accessLogs: true,
  domainName: 'registry.example.com',
  hostedZoneId: 'Z0123456789ABCDEFGHIJ',
  webAclArn: 'arn:aws:wafv2:us-east-1:111122223333:global/webacl/front/1a2b',
  priceClass: 'all',
  downloads: 'cdn',
  heads: 'redirected',
  streamHost: 'instance',
  monthlyBudgetUsd: 10,
} as const satisfies StowageStackProps;

export const KEY = 'arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-4444-8888-0123456789ab';

/** What a company may demand of whatever is deployed into its account. */
export const COMPANY = {
  permissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/stowage-boundary',
  iamPath: '/registry/',
  kmsKeyArn: KEY,
  qualifier: 'stowage',
} as const satisfies StowageStackProps;

export const synthesize = (props?: StowageStackProps, name?: string) =>
  Template.fromStack(stackWith(props, name));

export interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: CloudFormation's own shapes, a different one for each type
  readonly Properties: any;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly DependsOn?: readonly string[];
}

/** The resources of a template by their logical ids, of one type or of all. */
export function resourcesOf(template: Template, type?: string): ReadonlyMap<string, Resource> {
  const all = Object.entries(template.toJSON()['Resources'] as Record<string, Resource>);
  return new Map(all.filter(([, { Type }]) => type === undefined || Type === type));
}

/** The one resource of its type. */
export function onlyResource(template: Template, type: string): Resource {
  const [resource, ...more] = resourcesOf(template, type).values();
  if (!resource || more.length > 0) throw new Error(`there is not exactly one ${type}`);
  return resource;
}
