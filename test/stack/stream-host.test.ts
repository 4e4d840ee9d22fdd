import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ENV } from '../../functions/environment.ts';
import { bundleHost } from '../../lib/stream-code.ts';
import { freePort } from '../free-port.ts';
import { scratch } from '../scratch.ts';
import { actionsOn, servicesOf, statementsOf, statementsOn } from './permissions.ts';
import { onlyResource, resourcesOf, synthesize } from './synthesize.ts';

const template = synthesize({ streamHost: 'instance' });
const launch = onlyResource(template, 'AWS::EC2::LaunchTemplate').Properties.LaunchTemplateData;
const [role] = [...resourcesOf(template, 'AWS::IAM::InstanceProfile').values()][0]?.Properties.Roles ?? [];
const statements = statementsOf(template, role.Ref);

/** The script that an instance runs first, with the name of a reference for what only a deployment knows. */
const script = launch.UserData['Fn::Base64']['Fn::Join'][1]
  .map((part: unknown) => (typeof part === 'string' ? part : nameOf(part)))
  .join('') as string;

function nameOf(part: unknown): string {
  const [name] = Object.values(part as Record<string, string | readonly string[]>);
  return `{${Array.isArray(name) ? name.join('.') : name}}`;
}

/** A file that the script writes. */
function fileOf(path: string): string {
  const [, text] = new RegExp(`/dev/stdin ${path} <<'END_OF_FILE'\n(.*?)END_OF_FILE`, 's').exec(script) ?? [];
  if (text === undefined) throw new Error(`the script writes no ${path}`);
  return text;
}

describe('the network of the stream host', () => {
  it('has one subnet, which gives no public address and from which no route leads out', () => {
    expect(onlyResource(template, 'AWS::EC2::Subnet').Properties.MapPublicIpOnLaunch).toBe(false);
    template.resourceCountIs('AWS::EC2::Route', 0);
    template.resourceCountIs('AWS::EC2::NatGateway', 0);
    template.resourceCountIs('AWS::EC2::EIP', 0);
  });

  it('has the internet gateway that CloudFront demands, before CloudFront looks', () => {
    const [attachment] = resourcesOf(template, 'AWS::EC2::VPCGatewayAttachment').keys();
    expect(onlyResource(template, 'AWS::CloudFront::VpcOrigin').DependsOn).toContain(attachment);
  });

  it('lets in CloudFront alone, on one port', () => {
    const { SecurityGroupIngress } = onlyResource(template, 'AWS::EC2::SecurityGroup').Properties;
    expect(SecurityGroupIngress).toEqual([
      {
        Description: 'CloudFront',
        IpProtocol: 'tcp',
        FromPort: 5000,
        ToPort: 5000,
        SourcePrefixListId: { 'Fn::FindInMap': [expect.anything(), { Ref: 'AWS::Region' }, 'prefixList'] },
      },
    ]);
  });

  it('reaches this table, this bucket and the code, and nothing else of AWS', () => {
    const endpoints = [...resourcesOf(template, 'AWS::EC2::VPCEndpoint').values()];
    const reached = endpoints.flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
    expect(reached.map(({ Action }) => Action).sort()).toEqual(['dynamodb:*', 's3:*']);
    for (const { Resource } of reached) {
      for (const resource of Array.isArray(Resource) ? Resource : [Resource]) {
        expect(JSON.stringify(resource)).toMatch(/BlobsBucket|MetadataTable|cdk-hnb659fds-assets/);
      }
    }
  });

  it('is in another zone where one is named', () => {
    const elsewhere = synthesize({ streamHost: 'instance', streamHostZone: 'us-east-1b' });
    expect(onlyResource(elsewhere, 'AWS::EC2::Subnet').Properties.AvailabilityZone).toBe('us-east-1b');
  });
});

describe('the instance', () => {
  it('gives its credentials to no request that was talked into asking for them', () => {
    expect(launch.MetadataOptions).toEqual({ HttpTokens: 'required', HttpPutResponseHopLimit: 1 });
  });

  it('has an encrypted volume, and the newest system at each launch', () => {
    expect(launch.BlockDeviceMappings).toEqual([
      expect.objectContaining({ Ebs: expect.objectContaining({ Encrypted: true }) }),
    ]);
    expect(launch.ImageId).toMatch(/^resolve:ssm:\/aws\/service\/ami-amazon-linux-latest\/al2023-.*-arm64$/);
  });

  it('may what the API may with items and objects, read the copy of the keys and its own code, and no more', () => {
    expect(servicesOf(statements)).toEqual(new Set(['dynamodb', 's3']));
    expect(new Set(actionsOn(statements, 's3'))).toEqual(
      new Set([
        's3:AbortMultipartUpload',
        's3:DeleteObject',
        's3:GetObject',
        's3:ListBucket',
        's3:ListMultipartUploadParts',
        's3:PutObject',
      ]),
    );
    const resources = JSON.stringify(statementsOn(statements, 's3').map(({ Resource }) => Resource));
    expect(resources).toContain('/keys/signing-keys"');
    expect(resources).toMatch(/cdk-hnb659fds-assets-[^"]+"\},"\/[0-9a-f]{64}\.zip"/);
    expect(actionsOn(statements, 'dynamodb')).toContain('dynamodb:ConditionCheckItem');
  });

  it('starts only when it may do what it has to', () => {
    const before = onlyResource(template, 'AWS::EC2::Instance').DependsOn ?? [];
    expect(before.filter((id) => id.startsWith('StreamRoleDefaultPolicy'))).toHaveLength(1);
  });
});

describe('another generation of it', () => {
  const idsOf = (of: typeof template) => {
    const types = ['AWS::EC2::LaunchTemplate', 'AWS::EC2::Instance', 'AWS::CloudFront::VpcOrigin'];
    return types.flatMap((type) => [...resourcesOf(of, type).keys()]);
  };
  const november = synthesize({ streamHost: 'instance', streamHostGeneration: '2026-11' });

  it('comes beside the one before: CloudFront changes no VPC origin that is in use', () => {
    const december = idsOf(synthesize({ streamHost: 'instance', streamHostGeneration: '2026-12' }));
    expect(december).toHaveLength(3);
    expect(december.filter((id) => idsOf(november).includes(id))).toEqual([]);
  });

  it('comes with another secret, which a template does not show', () => {
    const rotated = synthesize({
      streamHost: 'instance',
      streamHostGeneration: '2026-11',
      frontRotation: 'b',
    });
    expect(idsOf(rotated).filter((id) => idsOf(november).includes(id))).toEqual([]);
  });

  it("does not come for nothing: a name of one's own is nothing to it", () => {
    const settings = { streamHost: 'instance', streamHostGeneration: '2026-11' } as const;
    const domain = { domainName: 'registry.example.com', hostedZoneId: 'Z0123456789ABCDEFGHIJ' };
    expect(idsOf(synthesize({ ...settings, ...domain }))).toEqual(idsOf(november));
  });
});

describe('the script of a new instance', () => {
  it('is one that bash understands, and of a size that EC2 takes', () => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(Buffer.byteLength(script)).toBeLessThan(16 * 1024);
  });

  it('tells the host where its things are, and how to reach AWS without a network beyond', () => {
    const told = Object.fromEntries(
      fileOf('/etc/stowage.env')
        .trim()
        .split('\n')
        .map((line) => line.split('=') as [string, string]),
    );
    expect(told).toMatchObject({
      STOWAGE_STORE: 'aws',
      STOWAGE_PORT: '5000',
      AWS_REGION: '{AWS::Region}',
      AWS_ACCOUNT_ID_ENDPOINT_MODE: 'disabled',
      [ENV.table]: expect.stringMatching(/^{MetadataTable/),
      [ENV.bucket]: expect.stringMatching(/^{BlobsBucket/),
      [ENV.keysObject]: 'keys/signing-keys',
      [ENV.frontSecretHash]: expect.stringMatching(/^{FrontKeys\w+\.Accepted}$/),
    });
    expect(told).not.toHaveProperty(ENV.signingKeys); // in SSM, which it cannot reach
  });

  it('keeps the secret from others on the machine', () => {
    expect(script).toContain('install -D -m 600 /dev/stdin /etc/stowage.env');
  });

  // Not everywhere there; where systemd is, it has the last word.
  it.skipIf(spawnSync('systemd-analyze', ['--version']).error)(
    'writes units that systemd understands',
    async () => {
      const directory = await scratch();
      for (const name of ['stowage.service', 'stowage-watch.service']) {
        const unit = fileOf(`/etc/systemd/system/${name}`).replace(/^ExecStart=.*$/m, 'ExecStart=/bin/true');
        await writeFile(join(directory, name), unit.replace(/^EnvironmentFile=.*$/m, ''));
      }
      const units = ['stowage.service', 'stowage-watch.service'].map((name) => join(directory, name));
      const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' });
      expect(stderr.split('\n').filter((line) => line.includes('stowage'))).toEqual([]);
    },
  );

  it('has the host started again whenever it ends, within the memory that there is', () => {
    const service = fileOf('/etc/systemd/system/stowage.service');
    expect(service).toMatch(/^Restart=always$/m);
    expect(service).toMatch(/^StartLimitIntervalSec=0$/m);
    expect(Number(/^MemoryMax=(\d+)M$/m.exec(service)?.[1])).toBeLessThan(400);
    expect(service).toMatch(/^User=stowage$/m);
  });
});

describe('the watchdog', () => {
  /** Runs it with stand-ins for what it calls: `curl` fails where told to. */
  async function restartsAfter(answers: readonly boolean[]): Promise<number> {
    const bin = await scratch();
    const program = async (name: string, text: string) =>
      writeFile(join(bin, name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
    await writeFile(join(bin, 'answers'), answers.map((answer) => `${answer ? 0 : 1}\n`).join(''));
    await writeFile(join(bin, 'log'), '');
    await program('sleep', `[ -s "${bin}/answers" ]`);
    await program('curl', `read -r code < "${bin}/answers"; sed -i 1d "${bin}/answers"; exit "$code"`);
    await program('systemctl', `echo "$@" >> "${bin}/log"`);
    const PATH = `${bin}:${process.env['PATH']}`;
    const { status } = spawnSync('bash', ['-s'], { input: watch, encoding: 'utf8', env: { PATH } });
    expect(status).toBe(0);
    const log = readFileSync(join(bin, 'log'), 'utf8');
    return log.split('\n').filter((line) => line === 'restart stowage.service').length;
  }
  const watch = fileOf('/usr/local/bin/stowage-watch');

  it('leaves alone a host that answers, or misses twice', async () => {
    expect(await restartsAfter([true, true, true])).toBe(0);
    expect(await restartsAfter([false, false, true, false, false])).toBe(0);
  });

  it('restarts a host that misses three times in a row, each time anew', async () => {
    expect(await restartsAfter([false, false, false])).toBe(1);
    expect(await restartsAfter([false, false, false, false, false, false, true])).toBe(2);
  });
});

describe('what the instance runs', () => {
  const running: ChildProcess[] = [];
  afterAll(() => running.forEach((child) => void child.kill('SIGKILL')));

  it('is the Node host in a bundle that needs nothing beside it', async () => {
    const directory = await scratch();
    bundleHost(directory);
    const port = await freePort();
    const child = spawn(process.execPath, [join(directory, 'main.mjs')], {
      cwd: directory,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        STOWAGE_STORE: 'aws',
        STOWAGE_OPEN: '1',
        STOWAGE_PORT: `${port}`,
        AWS_REGION: 'eu-central-1',
        AWS_ACCESS_KEY_ID: 'none',
        AWS_SECRET_ACCESS_KEY: 'none',
        [ENV.table]: 'table',
        [ENV.bucket]: 'bucket',
        [ENV.tableEndpoint]: 'http://127.0.0.1:1',
        [ENV.bucketEndpoint]: 'http://127.0.0.1:1',
      },
    });
    running.push(child);
    await expect
      .poll(
        () =>
          fetch(`http://127.0.0.1:${port}/v2/`).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 20_000 },
      )
      .toBe(200);
  });
});
