import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  activeKey,
  decodeKeyRing,
  encodeKeyRing,
  KEY_ACTIVATION_MS,
  KEY_ROTATION_MS,
  newSigningKey,
  rotated,
} from '../../functions/auth/signing-keys.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import { createAwsKeys } from '../../functions/aws-key-rotation.ts';
import { ENV } from '../../functions/environment.ts';
import { type SsmFault, startSsm } from './ssm/server.ts';

const MINUTE = 60_000;
const NAME = '/stowage/test/signing-keys';

let fault: ((operation: string) => SsmFault | undefined) | undefined;
const ssm = await startSsm({ before: (operation) => fault?.(operation) });
afterAll(() => ssm.close());

const environment = { [ENV.signingKeys]: NAME, [ENV.signingKeysEndpoint]: ssm.url };

/** A process of its own, as far as keys are concerned. */
const open = () => createAwsKeys(environment);
const store = (...keys: readonly ReturnType<typeof newSigningKey>[]) =>
  ssm.parameters.set(NAME, encodeKeyRing(keys));
const stored = () => decodeKeyRing(ssm.parameters.get(NAME) ?? '');
const ids = (ring: readonly { readonly id: string }[]) => ring.map(({ id }) => id);
const later = (milliseconds: number) => vi.setSystemTime(Date.now() + milliseconds);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIASTOWAGE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'only-on-this-machine');
  ssm.parameters.clear();
  fault = undefined;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

describe('the signing keys in SSM', () => {
  it('are read once for all who need them at the same time, and for five minutes after', async () => {
    store(newSigningKey(Date.now()));
    const { keys, callsMade } = open();
    const rings = await Promise.all(Array.from({ length: 20 }, () => keys.keys()));
    later(5 * MINUTE - 1);
    rings.push(await keys.keys());
    expect(new Set(rings.flatMap(ids))).toEqual(new Set(ids(stored())));
    expect(callsMade()).toBe(1);
  });

  it('are read again after five minutes, before a key that somebody else has made signs', async () => {
    const first = newSigningKey(Date.now() - KEY_ROTATION_MS);
    store(first);
    const { keys } = open();
    await keys.keys();
    store(newSigningKey(Date.now()), first);
    expect(ids(await keys.keys())).toEqual([first.id]);
    later(5 * MINUTE);
    expect(5 * MINUTE).toBeLessThan(KEY_ACTIVATION_MS);
    expect(ids(await keys.keys())).toEqual(ids(stored()));
  });

  it('are read anew on request, though not twice within five seconds', async () => {
    store(newSigningKey(Date.now()));
    const { keys, callsMade } = open();
    await keys.keys();
    later(5000);
    store(newSigningKey(Date.now()));
    const rings = await Promise.all([keys.reload(), keys.reload(), keys.reload()]);
    for (const ring of rings) expect(ids(ring)).toEqual(ids(stored()));
    later(4999);
    await keys.reload();
    expect(callsMade()).toBe(2);
  });

  it('are those of before while SSM fails, which keeps one request a minute waiting', async () => {
    store(newSigningKey(Date.now()));
    const { keys, callsMade } = open();
    const ring = await keys.keys();
    later(60 * MINUTE);
    fault = () => ({ code: 'AccessDeniedException' });
    expect(await keys.keys()).toBe(ring);
    expect(await keys.keys()).toBe(ring);
    later(MINUTE - 1);
    expect(await keys.keys()).toBe(ring);
    expect(callsMade()).toBe(2);
    later(1);
    fault = undefined;
    store(newSigningKey(Date.now()));
    expect(ids(await keys.keys())).toEqual(ids(stored()));
  });

  it('are those of before while the parameter is gone', async () => {
    store(newSigningKey(Date.now()));
    const { keys } = open();
    const ring = await keys.keys();
    ssm.parameters.clear();
    later(60 * MINUTE);
    expect(await keys.keys()).toBe(ring);
    expect(await keys.reload()).toBe(ring);
  });

  it('are asked for again by the next request where SSM has never answered', async () => {
    store(newSigningKey(Date.now()));
    const { keys } = open();
    fault = () => ({ code: 'AccessDeniedException' });
    await expect(Promise.all([keys.keys(), keys.reload()])).rejects.toThrow('fault');
    fault = undefined;
    expect(ids(await keys.keys())).toEqual(ids(stored()));
  });

  it('are said to be missing before the first rotation, and unreadable without being quoted', async () => {
    await expect(open().keys.keys()).rejects.toThrow('there are no signing keys yet');
    ssm.parameters.set(NAME, 'a secret');
    await expect(open().keys.keys()).rejects.toThrow(/^the signing keys are not readable$/);
  });

  it('are asked for a few times where SSM is busy, and every time is counted', async () => {
    store(newSigningKey(Date.now()));
    const { keys, callsMade } = open();
    let busy = 2;
    fault = () => (busy-- > 0 ? { code: 'ThrottlingException' } : undefined);
    expect(ids(await keys.keys())).toEqual(ids(stored()));
    expect(callsMade()).toBe(3);
  });
});

describe('the registry on AWS', () => {
  const stores = { [ENV.table]: 'table', [ENV.bucket]: 'bucket' };

  it('reads its keys there, and counts the calls among its own', async () => {
    store(newSigningKey(Date.now()));
    const { keys, callsMade } = createAwsRegistry({ ...stores, ...environment });
    expect(ids((await keys?.keys()) ?? [])).toEqual(ids(stored()));
    expect(callsMade()).toBe(1);
  });

  it('has none where the environment names no parameter', () => {
    expect(createAwsRegistry(stores).keys).toBeUndefined();
  });
});

describe('a rotation', () => {
  it('makes the first key, which signs at once, and then nothing for a month', async () => {
    expect(await open().keys.rotate()).toBe(true);
    const [first] = stored();
    expect(activeKey(stored(), Date.now())).toEqual(first);
    expect(await open().keys.rotate()).toBe(false);
    later(KEY_ROTATION_MS - 1);
    expect(await open().keys.rotate()).toBe(false);
    expect(ids(stored())).toEqual([first?.id]);
  });

  it('makes one first key where two run at once', async () => {
    fault = (operation) => (operation === 'PutParameter' ? { delayMs: 100 } : undefined);
    const [one, other] = [open(), open()];
    const outcomes = await Promise.all([one.keys.rotate(), other.keys.rotate()]);
    expect(outcomes.sort()).toEqual([false, true]);
    expect(ids(await one.keys.keys())).toEqual(ids(await other.keys.keys()));
    expect(stored()).toHaveLength(1);
  });

  it('puts a new key in front after a month, while the old one goes on signing until all have read it', async () => {
    await open().keys.rotate();
    const [old] = stored();
    later(KEY_ROTATION_MS);
    expect(await open().keys.rotate()).toBe(true);
    const [fresh, ...rest] = stored();
    expect(rest).toEqual([old]);
    later(KEY_ACTIVATION_MS - 1);
    expect(activeKey(stored(), Date.now())).toEqual(old);
    later(1);
    expect(activeKey(stored(), Date.now())).toEqual(fresh);
  });

  it('loses no token where two run at once: what signs meanwhile is in the ring of both', async () => {
    await open().keys.rotate();
    const [old] = stored();
    later(KEY_ROTATION_MS);
    const written: string[] = [];
    fault = (operation) => {
      written.push(ssm.parameters.get(NAME) ?? '');
      return operation === 'PutParameter' ? { delayMs: 100 } : undefined;
    };
    expect(await Promise.all([open().keys.rotate(), open().keys.rotate()])).toEqual([true, true]);
    written.push(ssm.parameters.get(NAME) ?? '');
    later(KEY_ACTIVATION_MS - 1);
    for (const ring of written) expect(activeKey(decodeKeyRing(ring), Date.now())).toEqual(old);
    expect(stored()).toHaveLength(2);
    expect(await open().keys.rotate()).toBe(false);
  });

  it('need not wait for the month where a person asks for it', async () => {
    await open().keys.rotate();
    const [old] = stored();
    expect(await open().keys.rotate('now')).toBe(true);
    expect(ids(stored()).slice(1)).toEqual([old?.id]);
  });

  it('writes no key when its time is over, though SSM could not do it before', async () => {
    await open().keys.rotate();
    const before = stored();
    const end = new AbortController();
    fault = (operation) => {
      if (operation !== 'PutParameter') return undefined;
      end.abort();
      fault = undefined;
      return { code: 'ThrottlingException' };
    };
    await expect(open().keys.rotate('now', end.signal)).rejects.toThrow('aborted');
    expect(stored()).toEqual(before);
  });

  it('leaves none of the old keys where one has leaked', async () => {
    store(...rotated([newSigningKey(0)], newSigningKey(1)));
    const leaked = ids(stored());
    expect(await open().keys.rotate('all')).toBe(true);
    expect(stored()).toHaveLength(1);
    expect(leaked).not.toContain(stored()[0]?.id);
  });

  it('does not write over a ring that it cannot read, unless all of it is to go', async () => {
    ssm.parameters.set(NAME, 'not a ring');
    await expect(open().keys.rotate()).rejects.toThrow('not readable');
    expect(ssm.parameters.get(NAME)).toBe('not a ring');
    expect(await open().keys.rotate('all')).toBe(true);
    expect(stored()).toHaveLength(1);
  });
});
