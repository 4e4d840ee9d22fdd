import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, describe, expect, it } from 'vitest';
import { ENV } from '../../functions/environment.ts';
import { COMPANY, CONTEXT, EVERYTHING, ROOT, stackWith } from './synthesize.ts';

const outputs = mkdtempSync(join(tmpdir(), 'stowage-stack-'));
afterAll(() => rmSync(outputs, { recursive: true, force: true }));

// As the CDK runs it, with nothing in its environment that names an account or a region, and no Docker.
const run = spawnSync(process.execPath, ['lib/app.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
  env: {
    PATH: process.env['PATH'],
    CDK_OUTDIR: outputs,
    CDK_CONTEXT_JSON: JSON.stringify(CONTEXT),
    CDK_DOCKER: 'no-docker-here',
  },
});

describe('the app', () => {
  it('synthesizes without account, region or Docker', () => {
    expect(run.status, run.stderr).toBe(0);
    expect(globSync('*.template.json', { cwd: outputs })).toEqual(['Stowage.template.json']);
  });

  it('is reported nothing by cdk-nag and by the checks of the CDK', () => {
    const report = JSON.parse(readFileSync(join(outputs, 'validation-report.json'), 'utf8'));
    expect(report.pluginReports).toEqual([]);
  });

  it('bundles entry points that Node can load, each with its source map beside it', () => {
    const bundles = globSync('asset.*/index.mjs', { cwd: outputs });
    expect(bundles).toHaveLength(6);
    for (const bundle of bundles) {
      const load = `import('./${bundle}').then((entry) => console.log(typeof entry.handler))`;
      const env = {
        AWS_REGION: 'eu-central-1',
        [ENV.table]: 'table',
        [ENV.bucket]: 'bucket',
        [ENV.signingKeys]: '/stowage/Stowage/signing-keys',
      };
      const { stdout, stderr } = spawnSync(process.execPath, ['-e', load], {
        cwd: outputs,
        encoding: 'utf8',
        env,
      });
      expect(stderr).toBe('');
      expect(stdout).toBe('function\n');
    }
    expect(globSync('asset.*/index.mjs.map', { cwd: outputs })).toHaveLength(6);
  });
});

describe('cdk-nag', () => {
  const findings = (of: ReturnType<typeof stackWith>) =>
    new Set(new AwsSolutionsChecks().validateScope(of).violations.map(({ ruleName }) => ruleName));

  it('finds nothing with every option, and with none', () => {
    expect(findings(stackWith(EVERYTHING))).toEqual(new Set());
    expect(findings(stackWith({ alarms: false, keepData: false }))).toEqual(new Set());
    const kept = { tableName: 'kept-table', bucketName: 'kept-bucket' };
    expect(findings(stackWith({ ...kept, ...COMPANY }))).toEqual(new Set());
  });

  it('would find a bucket that is planted', () => {
    const stack = stackWith();
    new Bucket(stack, 'Planted');
    expect(findings(stack)).toEqual(new Set(['AwsSolutions-S1', 'AwsSolutions-S10']));
  });
});
