import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ENV, SLEEP_EXIT_CODE, STREAM_HOST_TASK } from '../../functions/environment.ts';
import { RECONCILE_MINUTES } from '../../functions/stream/reconcile.ts';
import { edgeCode } from '../../lib/edge-code.ts';
import { usualStreamHost } from '../../lib/usual-stream-host.ts';
import { actionsOn, functionThat, list, statementsOn } from './permissions.ts';
import { onlyResource, resourcesOf, synthesize } from './synthesize.ts';

// What a deployment has that says nothing of a stream host.
const template = synthesize();
const api = functionThat(/answers every request/, template);
const expire = functionThat(/time has come/, template);
const [instance = ''] = resourcesOf(template, 'AWS::EC2::Instance').keys();
const launch = onlyResource(template, 'AWS::EC2::LaunchTemplate').Properties.LaunchTemplateData;
const script = JSON.stringify(launch.UserData);

describe('a stream host that sleeps', () => {
  it('is what a deployment has by default', () => {
    expect(synthesize({ streamHost: 'wake' }).toJSON()).toEqual(template.toJSON());
  });

  it('is stopped when its system ends, and not done away with', () => {
    expect(launch.InstanceInitiatedShutdownBehavior).toBe('stop');
  });

  it('switches its machine off when the host says so by its exit code, and at no other end of it', () => {
    const [, then = ''] = /\/bin\/sh -c '(if [^']+ fi)'/.exec(script) ?? [];
    const command = JSON.parse(`"${then}"`).replace('$$', '$');
    const powersOff = (status: string) =>
      spawnSync('sh', ['-c', `systemctl() { echo "$@"; }; ${command}`], {
        encoding: 'utf8',
        env: { ...process.env, EXIT_STATUS: status },
      }).stdout.includes('poweroff');
    expect(powersOff(`${SLEEP_EXIT_CODE}`)).toBe(true);
    for (const status of ['0', '1', 'KILL']) expect(powersOff(status)).toBe(false);
  });

  it('learns from its machine which that is', () => {
    expect(script).toContain(`${ENV.streamInstance}=$instance`);
  });

  it('may be started by the API, and stopped and restarted by the job that looks after it: this instance and no other', () => {
    expect(actionsOn(api.statements, 'ec2').sort()).toEqual(['ec2:DescribeInstances', 'ec2:StartInstances']);
    expect(actionsOn(expire.statements, 'ec2').sort()).toEqual([
      'ec2:DescribeInstances',
      'ec2:RebootInstances',
      'ec2:StopInstances',
    ]);
    for (const { statements, properties } of [api, expire]) {
      for (const { Action, Resource } of statementsOn(statements, 'ec2')) {
        const isLook = list(Action).includes('ec2:DescribeInstances'); // EC2 grants it for all instances or none
        if (isLook) expect(Resource).toBe('*');
        else
          expect(JSON.stringify(Resource)).toMatch(
            new RegExp(`:instance/","?\\{"Ref":"${instance}"|instance/"[^*]*${instance}`),
          );
      }
      expect(JSON.stringify(properties.Environment.Variables[ENV.streamInstance])).toContain(instance);
    }
    expect(actionsOn(expire.statements, 'dynamodb')).toContain('dynamodb:GetItem');
  });

  it('is looked after every five minutes', () => {
    const rules = [...resourcesOf(template, 'AWS::Events::Rule').values()];
    const [rule] = rules.filter(
      ({ Properties }) => Properties.ScheduleExpression === `rate(${RECONCILE_MINUTES} minutes)`,
    );
    const [target] = rule?.Properties.Targets ?? [];
    expect(JSON.parse(target.Input)).toEqual(STREAM_HOST_TASK);
    expect(JSON.stringify(target.Arn)).toContain('ExpireHandler');
  });

  it('keeps nobody waiting for it who comes too late', () => {
    const { Origins } = onlyResource(template, 'AWS::CloudFront::Distribution').Properties.DistributionConfig;
    const find = (id: string) => Origins.find(({ Id }: { Id: string }) => Id === id);
    expect(find('stream')).toMatchObject({ ConnectionAttempts: 1, ConnectionTimeout: 5 });
    expect(find('api')).not.toHaveProperty('ConnectionAttempts');
    expect(find('api').CustomOriginConfig.OriginReadTimeout).toBeGreaterThanOrEqual(30);
  });

  it('is no reason for the front door to send small chunks there', () => {
    const codes = [...resourcesOf(template, 'AWS::CloudFront::Function').values()].map(
      ({ Properties }) => Properties.FunctionCode,
    );
    expect(codes).toContain(edgeCode('viewer-request', { streamHost: 'wake' }));
  });

  it('alarms nobody by being off, and costs no alarm of its own', () => {
    const alarms = [...resourcesOf(template, 'AWS::CloudWatch::Alarm').values()].map(
      ({ Properties }) => Properties,
    );
    expect(alarms.filter(({ Namespace }) => Namespace === 'AWS/EC2')).toEqual([]);
    expect(alarms.length).toBeLessThanOrEqual(10); // which are free
  });
});

describe('where a deployment says nothing of it', () => {
  it.each([undefined, 'us-east-1', 'eu-central-1'])('it sleeps, in %s', (region) => {
    expect(usualStreamHost(region)).toEqual({ streamHost: 'wake' });
  });

  it('there is none in a region without VPC origins, and whoever deploys is told so', () => {
    const { streamHost, remark } = usualStreamHost('ap-southeast-4');
    expect(streamHost).toBe('none');
    expect(remark).toMatch(/no VPC origins in ap-southeast-4 .*streamHost=none/);
  });
});
