import { createPrivateKey, createPublicKey, createSign, createVerify } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it, type Mock, vi } from 'vitest';
import { ENV } from '../../functions/environment.ts';
import { secretHash } from '../../functions/front-door.ts';
import { type SsmFault, startSsm } from './ssm/server.ts';

// The custom resource's entry point, between an SSM and the address that CloudFormation wants its answer at. It waits
// between attempts, which nobody has to sit through here.
vi.mock('node:timers/promises', () => ({ setTimeout: async () => undefined }));

const SECRET = '/stowage/test/front-secret';
const DOWNLOAD_KEY = '/stowage/test/download-key';
const PROPERTIES = { SecretParameter: SECRET, DownloadKeyParameter: DOWNLOAD_KEY };

interface Answer {
  readonly Status: 'SUCCESS' | 'FAILED';
  readonly Reason?: string;
  readonly PhysicalResourceId: string;
  readonly NoEcho?: boolean;
  readonly Data?: { readonly Secret: string; readonly Accepted: string; readonly PublicKey: string };
}

let fault: ((operation: string) => SsmFault | undefined) | undefined;
const ssm = await startSsm({ before: (operation) => fault?.(operation) });

/** How many answers S3 will still refuse. */
let refusals = 0;
const answers: { readonly path: string; readonly type: string | undefined; readonly answer: Answer }[] = [];
const cloudFormation = createServer(async (request, response) => {
  const body = await text(request);
  if (refusals-- > 0) return void response.writeHead(503).end();
  const { method, url: path = '', headers } = request;
  expect(method).toBe('PUT');
  answers.push({ path, type: headers['content-type'], answer: JSON.parse(body) as Answer });
  response.end();
});
cloudFormation.listen(0, '127.0.0.1');
await once(cloudFormation, 'listening');
const { port } = cloudFormation.address() as AddressInfo;
const RESPONSE_URL = `http://127.0.0.1:${port}/answer?X-Amz-Signature=0123abcd`;

let stdout: Mock<typeof process.stdout.write>;
let handler: (event: unknown) => Promise<number>;

beforeAll(async () => {
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIASTOWAGE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'only-on-this-machine');
  vi.stubEnv(ENV.signingKeysEndpoint, ssm.url);
  stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const entry = await import('../../functions/front-keys.ts');
  const context = { awsRequestId: 'i-1', getRemainingTimeInMillis: () => 120_000 };
  handler = (event) => entry.handler(event as never, context as never);
});
beforeEach(() => {
  ssm.parameters.clear();
  fault = undefined;
  refusals = 0;
  answers.length = 0;
  stdout.mockClear();
});
afterAll(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  cloudFormation.close();
  await ssm.close();
});

const event = (RequestType: string, properties: object = PROPERTIES) => ({
  RequestType,
  ResponseURL: RESPONSE_URL,
  StackId: 'arn:aws:cloudformation:us-east-1:123456789012:stack/Stowage/1',
  RequestId: 'r-1',
  LogicalResourceId: 'FrontKeys',
  ...(RequestType !== 'Create' && { PhysicalResourceId: SECRET }),
  ResourceProperties: { ServiceToken: 'arn', ...properties },
});

/** Runs the resource, and answers what CloudFormation was told: once, and that all is well. */
async function attributes(RequestType: string, properties?: object) {
  answers.length = 0;
  await handler(event(RequestType, properties));
  expect(answers).toHaveLength(1);
  expect(answers[0]?.answer.Status).toBe('SUCCESS');
  return answers[0]?.answer.Data ?? { Secret: '', Accepted: '', PublicKey: '' };
}

/** What the API and the stream host are told: nothing that would let anybody in. */
const hashesOf = (...keys: readonly { readonly Secret: string }[]) =>
  keys.map(({ Secret }) => secretHash(Secret)).join(',');

const lines = () => stdout.mock.calls.map(([line]) => JSON.parse(`${line}`) as Record<string, unknown>);

describe("the front door's keys", () => {
  it('are made when the stack is, and told to CloudFormation as something not to show', async () => {
    expect(await handler(event('Create'))).toBe(2);
    expect(answers).toEqual([
      {
        path: '/answer?X-Amz-Signature=0123abcd',
        type: '', // with a type the URL's signature would be another
        answer: {
          Status: 'SUCCESS',
          NoEcho: true,
          StackId: 'arn:aws:cloudformation:us-east-1:123456789012:stack/Stowage/1',
          RequestId: 'r-1',
          LogicalResourceId: 'FrontKeys',
          PhysicalResourceId: SECRET,
          Data: {
            Secret: expect.stringMatching(/^[\w-]{43}$/),
            Accepted: secretHash(`${answers[0]?.answer.Data?.Secret}`),
            PublicKey: expect.stringMatching(
              /^-----BEGIN PUBLIC KEY-----\n[\s\S]+\n-----END PUBLIC KEY-----\n$/,
            ),
          },
        },
      },
    ]);
    expect(lines()).toMatchObject([{ level: 'info', job: 'front-keys', calls: 4, frontKeysMade: 2 }]);
  });

  it('are a pair, whose private half is alone in its parameter, as RSA of 2048 bits', async () => {
    const { PublicKey, Secret } = await attributes('Create');
    const pem = ssm.parameters.get(DOWNLOAD_KEY) ?? '';
    expect(createPrivateKey(pem).asymmetricKeyDetails?.modulusLength).toBe(2048);
    const signature = createSign('RSA-SHA1').update('policy').sign(pem);
    expect(createVerify('RSA-SHA1').update('policy').verify(createPublicKey(PublicKey), signature)).toBe(
      true,
    );
    expect(pem).not.toContain(Secret);
  });

  it('stay the same with every update, and when the stack is made again', async () => {
    const first = await attributes('Create');
    const parameters = new Map(ssm.parameters);
    expect(await attributes('Update')).toEqual(first);
    expect(await attributes('Create')).toEqual(first);
    expect(ssm.parameters).toEqual(parameters);
  });

  it('stay when the resource goes, which happens with a new name of it too', async () => {
    const first = await attributes('Create');
    fault = () => ({ code: 'AccessDeniedException' });
    await handler(event('Delete'));
    expect(answers.at(-1)?.answer).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId: SECRET });
    fault = undefined;
    expect(await attributes('Create')).toEqual(first);
  });

  it('are those that somebody else makes at the same moment, a little earlier', async () => {
    const first = await attributes('Create');
    const theirs = new Map(ssm.parameters);
    ssm.parameters.clear();
    fault = (operation) => {
      if (operation === 'PutParameter') for (const [name, value] of theirs) ssm.parameters.set(name, value);
      return undefined;
    };
    expect(await attributes('Create')).toEqual(first);
    expect(ssm.parameters).toEqual(theirs);
  });

  it('have one identity for CloudFormation, whatever the parameters are called later', async () => {
    await handler(event('Update', { ...PROPERTIES, SecretParameter: '/stowage/other/front-secret' }));
    expect(answers[0]?.answer.PhysicalResourceId).toBe(SECRET);
  });

  it('wait for a permission that the deployment has only just given', async () => {
    let denials = 5;
    fault = () => (denials-- > 0 ? { code: 'AccessDeniedException' } : undefined);
    expect((await attributes('Create')).Secret).not.toBe('');
  });
});

describe("a rotation of the front door's secret", () => {
  const rotation = (name: string) => attributes('Update', { ...PROPERTIES, Rotation: name });

  it('makes a new secret, and has the one before accepted while the front door still uses it', async () => {
    const first = await attributes('Create');
    const second = await rotation('2');
    expect(second.Secret).not.toBe(first.Secret);
    expect(second.Accepted).toBe(hashesOf(second, first));
    expect(second.PublicKey).toBe(first.PublicKey);
    const third = await rotation('3');
    expect(third.Accepted).toBe(hashesOf(third, second));
  });

  it('makes no second one where CloudFormation or Lambda asks again', async () => {
    await attributes('Create');
    expect(await rotation('2')).toEqual(await rotation('2'));
  });

  it('is taken back where the deployment is rolled back, and is forgotten by the next', async () => {
    const first = await attributes('Create');
    const second = await rotation('2');
    const back = await attributes('Update');
    expect(back).toMatchObject({ Secret: first.Secret, Accepted: hashesOf(first, second) });
    const third = await rotation('3');
    expect(third.Accepted).toBe(hashesOf(third, first));
  });

  it('makes a new pair of keys where somebody has deleted the old one', async () => {
    const first = await attributes('Create');
    ssm.parameters.delete(DOWNLOAD_KEY);
    const second = await rotation('2');
    expect(second.PublicKey).not.toBe(first.PublicKey);
  });
});

describe('what cannot be made', () => {
  it('is a failed deployment, told without details that everybody who sees the stack would see', async () => {
    fault = () => ({ code: 'AccessDeniedException' });
    await expect(handler(event('Create'))).rejects.toThrow('fault');
    expect(answers.map(({ answer }) => answer)).toMatchObject([
      {
        Status: 'FAILED',
        Reason: 'AccessDeniedException: the log of this function says more',
        PhysicalResourceId: SECRET,
      },
    ]);
    expect(lines()).toMatchObject([{ level: 'error', error: expect.stringMatching('AccessDenied') }]);
  });

  it.each([
    [SECRET, "the front door's secret is not readable"],
    [DOWNLOAD_KEY, 'not a private RSA key of 2048 bits'],
  ])('is not made over what is in %s and cannot be read, nor quoted', async (name, message) => {
    ssm.parameters.set(name, '{"secrets":[{"rotation":"","secret":"short"}]}');
    await expect(handler(event('Create'))).rejects.toThrow(message);
    expect(answers[0]?.answer.Status).toBe('FAILED');
    expect(ssm.parameters.get(name)).toContain('short');
    expect(stdout.mock.calls.join('')).not.toContain('short');
  });

  it('is refused where a property is missing', async () => {
    await expect(handler(event('Create', {}))).rejects.toThrow('the property SecretParameter is missing');
    expect(answers[0]?.answer).toMatchObject({ Status: 'FAILED', PhysicalResourceId: 'FrontKeys' });
  });
});

describe('an answer to CloudFormation', () => {
  it('is sent again where S3 does not take it', async () => {
    refusals = 2;
    expect((await attributes('Create')).Secret).not.toBe('');
  });

  it('that never arrives is a failed run, which Lambda repeats with the same outcome', async () => {
    refusals = Number.POSITIVE_INFINITY;
    await expect(handler(event('Create'))).rejects.toThrow('CloudFormation could not be answered');
    const logged = stdout.mock.calls.join('');
    expect(logged).toContain('S3 answered 503');
    expect(logged).not.toContain('0123abcd');
    refusals = 0;
    expect(await handler(event('Create'))).toBe(0);
    expect(answers).toHaveLength(1);
  });

  it('is in no line of the log', async () => {
    const { Secret } = await attributes('Create');
    const logged = stdout.mock.calls.join('');
    expect(logged).not.toContain(Secret);
    expect(logged).not.toContain('PRIVATE KEY');
    expect(logged).not.toContain('0123abcd');
  });
});
