import { UserData } from 'aws-cdk-lib/aws-ec2';
import type { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { ENV, SLEEP_EXIT_CODE } from '../functions/environment.ts';
import { STREAM_HOST_BOUNDS, STREAM_HOST_NODE_FLAGS } from './bundle.ts';
import { STREAM_PROGRAM } from './stream-code.ts';

interface StreamUserDataProps {
  readonly code: Asset;
  readonly region: string;
  readonly port: number;
  /** What the host is told. */
  readonly environment: ReadonlyMap<string, string>;
  /** Whether it switches its machine off while nobody needs it. */
  readonly sleeps: boolean;
}

/** The heap is small beside the buffers of uploads, and should be cleaned up before it is in their way. */
const FLAGS = [...STREAM_HOST_NODE_FLAGS, '--max-old-space-size=160'];

const HOME = '/opt/stowage';
const ENVIRONMENT = '/etc/stowage.env';
const WATCH = '/usr/local/bin/stowage-watch';

/** How an instance of 512 MB becomes the stream host, by itself and without a network beyond S3. */
export function streamUserData(props: StreamUserDataProps): UserData {
  const userData = UserData.forLinux({ shebang: '#!/bin/bash' });
  userData.addCommands(
    'set -euo pipefail',
    ...SWAP,
    ...unpack(props),
    ...file(ENVIRONMENT, environment(props), '600'),
    ...(props.sleeps ? NAME_INSTANCE : []),
    ...file('/etc/systemd/journald.conf.d/stowage.conf', JOURNAL),
    ...file('/etc/systemd/system/stowage.service', service(props)),
    ...file(WATCH, watch(props.port), '755'),
    ...file('/etc/systemd/system/stowage-watch.service', WATCH_SERVICE),
    'systemctl restart systemd-journald',
    'systemctl daemon-reload',
    'systemctl enable --now stowage.service stowage-watch.service',
  );
  return userData;
}

/** So that a peak slows the host down instead of ending it. */
const SWAP = [
  'dd if=/dev/zero of=/swapfile bs=1M count=512 status=none',
  'chmod 600 /swapfile',
  'mkswap /swapfile',
  "echo '/swapfile none swap defaults 0 0' >> /etc/fstab",
  'swapon /swapfile',
];

/** The role and the way to S3 may take a moment to work. */
function unpack({ code, region }: StreamUserDataProps): string[] {
  return [
    `mkdir -p ${HOME}`,
    `for attempt in $(seq 30); do aws s3 cp --region ${region} ${code.s3ObjectUrl} /tmp/host.zip && break; sleep 10; done`,
    `python3 -m zipfile -e /tmp/host.zip ${HOME}`, // keeps no modes
    'rm /tmp/host.zip',
    `chmod 755 ${HOME}/${STREAM_PROGRAM.node}`,
    'useradd --system --no-create-home --shell /sbin/nologin stowage',
  ];
}

function environment({ region, port, environment: told }: StreamUserDataProps): string[] {
  return Object.entries({
    STOWAGE_STORE: 'aws',
    STOWAGE_HOST: '0.0.0.0',
    STOWAGE_PORT: `${port}`,
    AWS_REGION: region,
    // Endpoints that are named after the account are not behind the gateway endpoint.
    AWS_ACCOUNT_ID_ENDPOINT_MODE: 'disabled',
    NODE_ENV: 'production',
    ...STREAM_HOST_BOUNDS,
    STOWAGE_STOP_SECONDS: '25', // before the unit is killed
    ...Object.fromEntries(told),
  }).map(([name, value]) => `${name}=${value}`);
}

/** Only the machine itself knows which it is. */
const METADATA = 'http://169.254.169.254/latest';
const NAME_INSTANCE = [
  `token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' ${METADATA}/api/token)`,
  `instance=$(curl -sf -H "X-aws-ec2-metadata-token: $token" ${METADATA}/meta-data/instance-id)`,
  `echo "${ENV.streamInstance}=$instance" >> ${ENVIRONMENT}`,
];

const JOURNAL = ['[Journal]', 'Storage=persistent', 'SystemMaxUse=256M'];

/** By its exit code the host says that it wants its machine switched off, which it may not do itself. */
const SLEEP = [
  `SuccessExitStatus=${SLEEP_EXIT_CODE}`,
  `ExecStopPost=+/bin/sh -c 'if [ "$$EXIT_STATUS" = ${SLEEP_EXIT_CODE} ]; then systemctl --no-block poweroff; fi'`,
];

const service = ({ sleeps }: StreamUserDataProps) => [
  '[Unit]',
  'Description=Stowage: the stream host',
  'Wants=network-online.target',
  'After=network-online.target',
  'StartLimitIntervalSec=0', // never gives up
  '[Service]',
  'User=stowage',
  `EnvironmentFile=${ENVIRONMENT}`,
  `ExecStart=${[`${HOME}/${STREAM_PROGRAM.node}`, ...FLAGS, `${HOME}/${STREAM_PROGRAM.main}`].join(' ')}`,
  'Restart=always',
  'RestartSec=2',
  ...(sleeps ? SLEEP : []),
  'MemoryHigh=256M', // the system itself takes some 150 MB of the 512
  'MemoryMax=320M',
  'TimeoutStopSec=30',
  'StandardOutput=journal', // a line for each request
  'StandardError=journal+console', // what goes wrong: read it with `aws ec2 get-console-output`
  'NoNewPrivileges=yes',
  'CapabilityBoundingSet=',
  'ProtectSystem=strict',
  'ProtectHome=yes',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  '[Install]',
  'WantedBy=multi-user.target',
];

/** A minute without a sign of life, and the host is started anew. */
function watch(port: number): string[] {
  return [
    '#!/bin/bash',
    'misses=0',
    'while sleep 20; do',
    `  if curl --silent --fail --output /dev/null --max-time 10 http://127.0.0.1:${port}/; then misses=0; continue; fi`,
    '  misses=$((misses + 1))',
    '  if [ "$misses" -lt 3 ]; then continue; fi',
    '  echo "the stream host does not answer: starting it anew" >&2',
    '  systemctl restart stowage.service',
    '  misses=0',
    'done',
  ];
}

const WATCH_SERVICE = [
  '[Unit]',
  'Description=Stowage: starts the stream host anew when it stops answering',
  'After=stowage.service',
  '[Service]',
  `ExecStart=${WATCH}`,
  'Restart=always',
  'StandardError=journal+console',
  '[Install]',
  'WantedBy=multi-user.target',
];

function file(path: string, lines: readonly string[], mode = '644'): string[] {
  return [`install -D -m ${mode} /dev/stdin ${path} <<'END_OF_FILE'`, ...lines, 'END_OF_FILE'];
}
