import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, it, onTestFinished } from 'vitest';
import { Ec2Instance } from '../../../functions/aws-ec2.ts';
import { Instance } from './instance.ts';
import { startEc2 } from './server.ts';

const ID = 'i-0123456789abcdef0';

async function account(id = ID) {
  const run = () => Promise.reject(new Error('nothing runs here'));
  const instance = new Instance({ bootMs: 60_000, stopMs: 1, run });
  const server = await startEc2(ID, instance);
  onTestFinished(() => server.close().catch(() => undefined));
  const like = new DynamoDBClient({
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKIASTOWAGE', secretAccessKey: 'only-on-this-machine' },
  });
  let calls = 0;
  const onCall = () => {
    calls += 1;
  };
  const machine = new Ec2Instance({ id, like, endpoint: server.url, onCall });
  return { machine, instance, server, made: () => calls };
}

it('starts an instance, as often as it is asked, and says what state it is in', async () => {
  const { machine, server, made } = await account();
  expect(await machine.state()).toBe('stopped');
  expect(await machine.start()).toEqual({ is: 'asked' });
  expect(await machine.start()).toEqual({ is: 'asked' });
  expect(await machine.state()).toBe('pending');
  await machine.stop();
  expect(['stopping', 'stopped']).toContain(await machine.state());
  expect(server.calls).toHaveLength(6);
  expect(made()).toBe(6);
});

it('tells what EC2 will take back in some seconds from what it will not', async () => {
  const { machine, instance } = await account();
  instance.faults.throttled = 2;
  expect(await machine.start()).toMatchObject({ is: 'later' });
  expect(await machine.state()).toBe('unknown');
  instance.faults.noCapacity = true;
  expect(await machine.start()).toEqual({ is: 'refused', why: 'InsufficientInstanceCapacity' });
  instance.faults.noCapacity = false;
  await machine.start();
  await machine.stop();
  const again = await machine.start();
  expect(['later', 'asked']).toContain(again.is); // by then it may have stopped
});

it('knows an instance that is gone', async () => {
  const { machine } = await account('i-0fedcba9876543210');
  expect(await machine.start()).toEqual({ is: 'refused', why: 'InvalidInstanceID.NotFound' });
  expect(await machine.state()).toBe('gone');
});

it('takes an EC2 that does not answer for one that may later', async () => {
  const { machine, server } = await account();
  await server.close();
  expect(await machine.start()).toMatchObject({ is: 'later' });
  expect(await machine.state()).toBe('unknown');
});
