import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StowageStackProps } from '../../lib/stowage-stack.ts';
import { orderOf } from './deployment.ts';
import { EVERYTHING, ROOT, resourcesOf, synthesize } from './synthesize.ts';

// A first deployment that fails at any of its resources: what CloudFormation takes back by itself, and what stays. docs/deploy.md lists that.

const NAMES = ['TableName', 'BucketName', 'FunctionName', 'LogGroupName', 'RoleName'];

interface Outcome {
  /** The types of what stays. */
  readonly left: readonly string[];
  /** What cannot be deleted, on which a rollback would stop. */
  readonly stuck: readonly string[];
}

/** What becomes of the resources that were made before the one that fails. */
function failAt(template: ReturnType<typeof synthesize>, failing: string): Outcome {
  const resources = resourcesOf(template);
  const order = orderOf(template);
  const made = order.slice(0, order.indexOf(failing)).map((id) => ({ id, ...resources.get(id) }));
  const hasRun = made.some(({ Type }) => Type === 'Custom::Trigger');
  const isStream = [...resources.values()].some(({ Type }) => Type === 'AWS::EC2::Instance');
  const left = made.filter(({ DeletionPolicy }) => DeletionPolicy === 'Retain');
  const stuck = made
    .filter((one) => !left.includes(one))
    .filter(
      ({ Type, Properties }) =>
        Properties?.DeletionProtectionEnabled === true || (Type === 'AWS::S3::Bucket' && isStream && hasRun), // the keys of the stream host are in it
    );
  return { left: left.map(({ Type = '' }) => Type), stuck: stuck.map(({ Type = '' }) => Type) };
}

const SETS: readonly [string, StowageStackProps, readonly string[]][] = [
  ['no option', {}, ['AWS::DynamoDB::Table', 'AWS::S3::Bucket']],
  ['no stream host', { streamHost: 'none' }, ['AWS::DynamoDB::Table']],
  ['every option', EVERYTHING, ['AWS::DynamoDB::Table', 'AWS::S3::Bucket']],
  ['a trial without a stream host', { keepData: false, streamHost: 'none' }, []],
];

describe.each(SETS)('a first deployment with %s that fails', (_, props, mayStay) => {
  const template = synthesize(props);
  const outcomes = orderOf(template).map((id) => failAt(template, id));

  it('leaves what the docs say, whatever it fails at, and no rollback stops', () => {
    expect(new Set(outcomes.flatMap(({ left }) => left))).toEqual(new Set(mayStay));
    expect(outcomes.flatMap(({ stuck }) => stuck)).toEqual([]);
  });

  it('is in the way of no other: what stays has no name that the next one wants', () => {
    for (const { Type, Properties } of resourcesOf(template).values())
      if (mayStay.includes(Type))
        expect(Object.keys(Properties).filter((name) => NAMES.includes(name))).toEqual([]);
  });
});

it('of a trial, its rollback stops at the bucket once the keys of its stream host are in it, as docs/deploy.md says', () => {
  const template = synthesize({ keepData: false });
  const outcomes = orderOf(template).map((id) => failAt(template, id));
  expect(new Set(outcomes.flatMap(({ stuck }) => stuck))).toEqual(new Set(['AWS::S3::Bucket']));
  expect(readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8')).toContain('`ROLLBACK_FAILED`');
});

it('docs/deploy.md has the commands for what stays', () => {
  const page = readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8');
  const section = page.slice(page.indexOf('### When the first deployment fails')).split('\n## ')[0];
  for (const command of ['delete-table', 'no-deletion-protection-enabled', 's3 rb', 'delete-parameters'])
    expect(section).toContain(command);
});
