import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { StowageStackProps } from '../../../lib/stowage-stack.ts';
import { early, late } from '../../stack/deployment.ts';
import { resourcesOf, synthesize } from '../../stack/synthesize.ts';
import { type AwsPath, startAwsPath } from '../aws-path.ts';
import { LiveStack } from './live-stack.ts';
import { Load } from './load.ts';

// Options switched on and off on a registry that is in use, by the templates of before and after, in every order that CloudFormation may
// take; the distribution's locations learn of it one after another.

const NAME = 'registry.example.com';
const LOCATIONS = 2;
const PATIENCE = { timeout: 60_000 };

vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of its functions
const path = await startAwsPath({ streamHost: 'instance', eventDelayMs: 50 });
if (!path && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!path) console.warn('skipped: options switched on and off; no DynamoDB server is installed');

const OPTIONS: Readonly<Record<string, StowageStackProps>> = {
  'downloads by the CDN': { downloads: 'cdn' },
  'a stream host': { streamHost: 'instance' },
  'a name of its own': { domainName: NAME, hostedZoneId: 'Z0123456789ABCDEFGHIJ' },
  'another secret': { frontRotation: '2' },
  'all of them': {
    downloads: 'cdn',
    streamHost: 'instance',
    domainName: NAME,
    hostedZoneId: 'Z0123456789ABCDEFGHIJ',
    frontRotation: '3',
  },
};

const templateOf = (props: StowageStackProps = {}) => synthesize({ streamHost: 'none', ...props });

describe.runIf(path)('on a registry in use', () => {
  const without = templateOf();
  const stack = new LiveStack(path as AwsPath, () => load.round());
  const load: Load = new Load(path as AwsPath, stack);

  beforeAll(async () => {
    await stack.deploy(without, LOCATIONS);
    await load.start();
    await load.round();
  });
  afterAll(async () => {
    await load.stop();
    await stack.close();
    await path?.stop();
    vi.restoreAllMocks();
  });

  type Run = Pick<Parameters<LiveStack['update']>[0], 'choose' | 'failsAt'>;

  /** What clients may count on while an option comes or goes, and after that. Nobody uses a name before it leads anywhere, nor when it is
   *  about to go: docs/deploy.md. */
  function expecting({ streamHost, domainName }: StowageStackProps, is: 'on' | 'off' | 'changing') {
    load.streams = streamHost && is === 'changing' ? undefined : streamHost !== undefined && is === 'on';
    load.name = is === 'on' ? domainName : undefined;
  }

  async function flip(props: StowageStackProps, run: Run) {
    const wanted = templateOf(props);
    load.failures.length = 0;
    expecting(props, 'changing');
    await stack.update({ from: without, to: wanted, ...run });
    if (!run.failsAt) {
      expecting(props, 'on');
      await load.round();
      expecting(props, 'changing');
      await load.round();
      await stack.update({ from: wanted, to: without, ...run });
    }
    expecting(props, 'off');
    await load.round();
    expect(load.failures).toEqual([]);
  }

  const isDistribution = (id: string) => id.startsWith('FrontDistribution');
  const isApi = (id: string) => id.startsWith('ApiHandler');
  const all = OPTIONS['all of them'] ?? {};

  it.each(Object.entries(OPTIONS))(
    '%s, switched on and off, the front door as early as may be, fails no request',
    PATIENCE,
    (_, props) => flip(props, { choose: early(isDistribution) }),
  );

  it.each([
    ['front door', isDistribution],
    ['API', isApi],
  ])('nor does it where the %s comes last', PATIENCE, (_, is) => flip(all, { choose: late(is) }));

  it.each([
    'Custom::FrontKeys',
    'AWS::Lambda::Function',
    'AWS::CloudFront::Function',
    'AWS::CloudFront::VpcOrigin',
    'AWS::CloudFront::Distribution',
    'AWS::Route53::RecordSetGroup',
  ])('nor a deployment that fails at %s and is rolled back', PATIENCE, async (type) => {
    const failsAt = [...resourcesOf(templateOf(all), type).keys()].at(-1);
    await flip(all, { choose: early(isDistribution), failsAt });
  });

  it('after which the next one goes through', PATIENCE, () => flip(all, { choose: early(isDistribution) }));
});
