import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StowageStackProps } from '../../lib/stowage-stack.ts';
import { scratch } from '../scratch.ts';
import { COMPANY, EVERYTHING, KEY, synthesize } from './synthesize.ts';

// cfn-lint is of AWS, and knows what CloudFormation's resources may say: nobody here has written it.

const isThere = spawnSync('cfn-lint', ['--version']).status === 0;
const isWanted = process.env['STOWAGE_REQUIRE_CLIENTS'] === 'all';

const OPTION_SETS: Readonly<Record<string, StowageStackProps>> = {
  'no option': {},
  'every option': EVERYTHING,
  'downloads by the CDN': { downloads: 'cdn' },
  'a stream host': { streamHost: 'instance' },
  'no alarms': { alarms: false },
  'alarms by mail': { alarmEmail: 'ops@example.com' },
  'data that goes with the stack': { keepData: false },
  'a name of its own': {
    domainName: 'registry.example.com',
    certificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/0a1b2c3d-0000-4444-8888-0123456789ab',
  },
  'data that was kept': { tableName: 'kept-table', bucketName: 'kept-bucket', streamHost: 'instance' },
  'a key of the account': { kmsKeyArn: KEY, streamHost: 'instance' },
  "a company's rules": COMPANY,
  'another secret and key': { frontRotation: '2', downloadKeyRotation: '2', downloads: 'cdn' },
  'logs and a budget': { accessLogs: true, monthlyBudgetUsd: 10, budgetEmail: 'ops@example.com' },
};

/** What it finds in templates, each by its name. The CDK says twice what depends on what, on purpose: W3005. */
async function complaintsOf(templates: Readonly<Record<string, object>>): Promise<string> {
  const directory = await scratch();
  for (const [name, template] of Object.entries(templates))
    await writeFile(join(directory, `${name}.json`), JSON.stringify(template, undefined, 1));
  const regions = ['eu-central-1', 'us-east-1'];
  const files = Object.keys(templates).map((name) => `${name}.json`);
  const parameters = ['-f', 'parseable', '-i', 'W3005', '-r', ...regions, '--', ...files];
  return spawnSync('cfn-lint', parameters, { cwd: directory, encoding: 'utf8' }).stdout;
}

describe.skipIf(!isThere && !isWanted)(`cfn-lint${isThere ? '' : ', which is not installed,'}`, () => {
  it('finds nothing wrong with the template for any set of options', { timeout: 300_000 }, async () => {
    const sets = Object.entries(OPTION_SETS);
    const templates = sets.map(([name, options]) => [name, synthesize(options).toJSON()] as const);
    expect(await complaintsOf(Object.fromEntries(templates))).toBe('');
  });

  it('finds a property that does not exist', { timeout: 60_000 }, async () => {
    const template = synthesize().toJSON();
    const resources: Record<string, { Type: string; Properties: object }> = template['Resources'];
    const bucket = Object.values(resources).find(({ Type }) => Type === 'AWS::S3::Bucket');
    Object.assign(bucket?.Properties ?? {}, { Versionning: true });
    expect(await complaintsOf({ planted: template })).toContain('Versionning');
  });
});
