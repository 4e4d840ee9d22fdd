import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type AwsPath, startAwsPath } from '../aws-path.ts';
import { digestOf, RegistryClient } from './registry-client.ts';

// The stack with its defaults: a stream host that sleeps.

const MIB = 1024 * 1024;
const NAME = 'front/app';
const POST = `POST /v2/${NAME}/blobs/uploads/`;
const DOCKER = { 'user-agent': 'docker/28.5.2 go/go1.24 kernel/6.1 os/linux arch/amd64' };

vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of its functions
const path = await startAwsPath({ streamHost: 'wake', bootMs: 100, darkMs: 10 });
if (!path && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!path) console.warn('skipped: a stream host that sleeps; no DynamoDB server is installed');
afterAll(async () => {
  await path?.stop();
  vi.restoreAllMocks();
});

describe.runIf(path)('a stream host that sleeps', () => {
  const { sleeper, counters } = path as Required<Pick<AwsPath, 'sleeper' | 'counters'>>;
  const { instance, ec2 } = sleeper ?? ({} as AwsPath['sleeper'] & object);
  let client: RegistryClient;

  beforeAll(async () => {
    client = await RegistryClient.logIn(path as AwsPath, NAME);
  });

  it('is left asleep by clients that send a layer in one PUT, and by who sends one in its POST', async () => {
    const bytes = randomBytes(100);
    for (const agent of [
      'containerd/2.2.0',
      'oras/1.3.0',
      'cosign/v3.0.2 go-containerregistry/v0.20.6',
      'regclient/regctl',
    ])
      expect(await client.send(POST, { headers: { 'user-agent': agent } })).toMatchObject({ status: 202 });
    const whole = await client.send(`${POST}?digest=${digestOf(bytes)}`, { headers: DOCKER, body: bytes });
    expect(whole).toMatchObject({ status: 201 });
    const mounted = await client.send(`${POST}?mount=${digestOf(bytes)}&from=${NAME}`, { headers: DOCKER });
    expect(mounted).toMatchObject({ status: 201 });
    expect({ calls: ec2.calls, state: instance.state }).toEqual({ calls: [], state: 'stopped' });
  });

  it('is not woken for small chunks, which go to the API', async () => {
    const headers = { 'transfer-encoding': 'chunked', 'user-agent': 'containerd/2.2.0' };
    const location = await client.open(NAME).catch(() => '');
    const { headers: opened } = await client.send(POST, { headers: { 'user-agent': 'containerd/2.2.0' } });
    expect(location).not.toBe(''); // an agent without a name
    expect(await client.send(`PATCH ${opened.location}`, { headers, body: randomBytes(1000) })).toMatchObject(
      { status: 202 },
    );
    expect(instance.state).toBe('stopped');
  });

  it('wakes for a push, once for all of its layers, and none of them finds it asleep', async () => {
    counters.reset();
    const layers = Array.from({ length: 5 }, () => randomBytes(5 * MIB));
    const pushed = layers.map(async (bytes) => {
      const { status, headers } = await client.send(POST, { headers: DOCKER });
      const chunked = { ...DOCKER, 'transfer-encoding': 'chunked' };
      const chunk = await client.send(`PATCH ${headers.location}`, { headers: chunked, body: bytes });
      const closed = await client.send(`PUT ${chunk.headers.location}&digest=${digestOf(bytes)}`, {
        body: '',
      });
      return [status, chunk.status, closed.status];
    });
    expect(await Promise.all(pushed)).toEqual(layers.map(() => [202, 202, 201]));
    expect(counters.counts).toMatchObject({ stream: { requests: 5 }, api: { uploadBytes: 0 } });
    expect(instance.boots).toBe(1);
  });

  it('is looked after by the job that the stack runs every five minutes', async () => {
    const before = ec2.calls.length;
    await sleeper.reconcile();
    expect(ec2.calls.slice(before)).toEqual(['DescribeInstances']);
    expect(instance.state).toBe('running');
  });

  it('is told about where it was switched off under a client: the gateway time-out that CloudFront makes of it', async () => {
    const { headers } = await client.send(POST, { headers: DOCKER });
    await instance.off();
    const chunked = { ...DOCKER, 'transfer-encoding': 'chunked' };
    const answer = await client.send(`PATCH ${headers.location}`, { headers: chunked, body: 'late' });
    expect(answer.status).toBe(504);
  });
});
