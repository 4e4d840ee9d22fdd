import { describe, expect, it } from 'vitest';
import { StreamGate } from '../../functions/stream/gate.ts';
import { HostLife } from '../../functions/stream/life.ts';
import type { Machine, MachineState, Started } from '../../functions/stream/machine.ts';
import { reconcile } from '../../functions/stream/reconcile.ts';
import { MemoryTable } from '../contract/memory-table.ts';

const INSTANCE = 'i-0123456789abcdef0';
const MINUTE = 60_000;
const DOCKER = 'docker/28.5.2 go/go1.24';
const CRANE = 'crane/0.20.7 go-containerregistry/v0.20.7';

/** A machine that is awake so long after it was started, and a clock that goes on while somebody waits. */
function scene(bootMs = 22_000, crowd = 1) {
  let now = Date.parse('2026-12-01T12:00:00Z');
  let state: MachineState = 'stopped';
  let startedAt = Number.POSITIVE_INFINITY;
  let refuses: Started | undefined;
  const calls: string[] = [];
  const table = new MemoryTable();
  const clock = () => now;
  const life = new HostLife({ table, instance: INSTANCE, now: clock });
  const machine: Machine = {
    async start() {
      calls.push('start');
      if (refuses) return refuses;
      if (state === 'stopping') return { is: 'later', why: 'IncorrectInstanceState' };
      if (state === 'stopped') [state, startedAt] = ['pending', now];
      return { is: 'asked' };
    },
    state: async () => state,
    async stop() {
      calls.push('stop');
      state = 'stopped';
    },
    reboot: async () => void calls.push('reboot'),
  };
  const pass = async (milliseconds: number) => {
    now += milliseconds;
    if (state === 'pending' && now - startedAt >= bootMs) {
      state = 'running';
      await life.begin();
    }
  };
  const wait = (milliseconds: number) => pass(milliseconds / crowd); // all of a crowd wait at the same time
  const gate = new StreamGate({ table, machine, instance: INSTANCE, now: clock, wait });
  const look = () => reconcile({ table, machine, instance: INSTANCE, now: clock });
  return {
    ...{ gate, life, look, pass, calls, table, clock },
    refuse: (started: Started | undefined) => {
      refuses = started;
    },
    become: (now: MachineState) => {
      state = now;
    },
    get state() {
      return state;
    },
  };
}

/** As a client that tries again while it is told that the host is starting; for how long, and what it is told in the end. */
async function push({ gate, clock, pass }: ReturnType<typeof scene>, agent: string, tries: number) {
  const began = clock();
  for (let attempt = 1; ; attempt += 1) {
    const error = await gate
      .enter(agent)
      .catch((reason: unknown) => reason as { status: number; message: string });
    const seconds = Math.round((clock() - began) / 1000);
    if (!error) return { is: 'let in', seconds };
    if (error.status !== 429 || attempt === tries)
      return { is: error.status, seconds, message: error.message };
    await pass(1500);
  }
}

describe('the gate', () => {
  it.each([
    'containerd/2.2.0',
    `${DOCKER} containerd-client/2.3.3 storage-driver/overlayfs`,
    'buildkit/v0.26',
    'oras/1.3.0',
    'Helm/4.0.0',
    'regclient/regctl (v0.11.5)',
    'cosign/v3.0.2 (linux; amd64) go-containerregistry/v0.20.6',
    'stowage/0.1.0',
    'Amazon CloudFront',
    '',
  ])('lets %j in at once, and wakes nobody', async (agent) => {
    const { gate, calls } = scene();
    await gate.enter(agent);
    await gate.announce(agent);
    expect(calls).toEqual([]);
  });

  it.each([
    DOCKER,
    'containers/5.39.2',
    'skopeo/1.22.0',
    'Buildah/1.43',
    CRANE,
    'ko/0.18',
    'kaniko/1.24',
    'jib 3.4.6',
    'a-tool-of-tomorrow/1',
  ])('holds %j until the host runs', async (agent) => {
    const one = scene(22_000);
    expect(await push(one, agent, 1)).toEqual({ is: 'let in', seconds: expect.closeTo(22, -1) });
  });

  it('answers within 25 s, with a code that docker does not give up at', async () => {
    const { gate, clock } = scene(60_000);
    const began = clock();
    const refused = await gate.enter(DOCKER).catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 429, code: 'UNAVAILABLE', headers: { 'Retry-After': '1' } });
    expect(clock() - began).toBeLessThanOrEqual(25_000);
  });

  it.each([
    [70_000, DOCKER, 5],
    [70_000, 'containers/4.3.1', 5],
    [70_000, CRANE, 3],
    [110_000, DOCKER, 5],
    [110_000, 'skopeo/1.9.3', 5],
  ])('lets in what waits for a host that takes %i ms: %s in %i tries', async (bootMs, agent, tries) => {
    expect(await push(scene(bootMs), agent, tries)).toMatchObject({ is: 'let in' });
  });

  it.each([
    [CRANE, 75, 3],
    ['a-tool-of-tomorrow/1', 75, 9],
    ['containers/5.8', 120, 5],
    [DOCKER, 160, 9],
  ])(
    'tells %s the cure, before it gives up by itself, where the host never comes: after %i s',
    async (agent, seconds, tries) => {
      const one = scene(Number.POSITIVE_INFINITY);
      const told = await push(one, agent, tries);
      expect(told).toMatchObject({ is: 403, message: expect.stringContaining('stowage push') });
      expect(told.seconds).toBeGreaterThanOrEqual(seconds);
      expect(told.seconds).toBeLessThan(seconds + 8);
      await expect(one.look()).rejects.toThrow('had trouble');
    },
  );

  it('tells at once where EC2 refuses, whoever asks within the next seconds, and asks EC2 once', async () => {
    const one = scene(22_000, 200);
    one.refuse({ is: 'refused', why: 'InsufficientInstanceCapacity' });
    const all = await Promise.all(Array.from({ length: 200 }, () => push(one, DOCKER, 5)));
    expect(new Set(all.map(({ is }) => is))).toEqual(new Set([403]));
    expect(all[0]?.message).toContain('InsufficientInstanceCapacity');
    expect(one.calls).toEqual(['start']);
    one.refuse(undefined);
    await one.pass(15_000);
    const again = await Promise.all(Array.from({ length: 200 }, () => push(one, DOCKER, 5)));
    expect(new Set(again.map(({ is }) => is))).toEqual(new Set(['let in']));
  });

  it('asks again where EC2 has too much to do', async () => {
    const one = scene();
    one.refuse({ is: 'later', why: 'RequestLimitExceeded' });
    const pushing = push(one, DOCKER, 5);
    await one.pass(1000);
    one.refuse(undefined);
    expect(await pushing).toMatchObject({ is: 'let in' });
  });

  it('starts a host for 200 clients that come at once by one call', async () => {
    const one = scene(2000, 200);
    const all = await Promise.all(Array.from({ length: 200 }, () => push(one, DOCKER, 5)));
    expect(new Set(all.map(({ is }) => is))).toEqual(new Set(['let in']));
    expect(one.calls).toEqual(['start']);
  });

  it('waits for a machine that is just stopping, and then starts it', async () => {
    const one = scene(5000);
    await push(one, DOCKER, 1);
    await one.pass(16 * MINUTE);
    expect(await one.life.beat(false)).toBe(false);
    one.become('stopping');
    const pushing = push(one, DOCKER, 5);
    one.become('stopped');
    expect(await pushing).toMatchObject({ is: 'let in' });
  });
});

describe('the host', () => {
  it('stays for its lease, and goes after it', async () => {
    const one = scene(1000);
    await push(one, DOCKER, 1);
    await one.pass(14 * MINUTE);
    expect(await one.life.beat(false)).toBe(true);
    await one.pass(2 * MINUTE);
    expect(await one.life.beat(false)).toBe(false);
  });

  it('stays while an upload takes its time', async () => {
    const one = scene(1000);
    await push(one, DOCKER, 1);
    for (let minutes = 0; minutes < 60; minutes += 1) {
      await one.pass(MINUTE);
      expect(await one.life.beat(true)).toBe(true);
      await one.look();
    }
    expect(one.calls).toEqual(['start']);
  });

  it('whose clock was a day ahead is seen to be dead, and goes after its lease', async () => {
    const one = scene(1000);
    await push(one, DOCKER, 1);
    const ahead = () => one.clock() + 24 * 60 * MINUTE;
    await new HostLife({ table: one.table, instance: INSTANCE, now: ahead }).beat(true);
    one.become('stopped');
    await one.pass(2 * MINUTE);
    await one.look();
    expect(await push(one, DOCKER, 5)).toMatchObject({ is: 'let in' });
    expect(one.calls).toEqual(['start', 'start']);
    for (let minutes = 0; minutes < 20; minutes += 1) {
      await one.pass(MINUTE);
      await one.life.beat(false);
    }
    expect(await one.life.beat(false)).toBe(false);
  });

  it('that was about to go goes, when it is started again by its own system', async () => {
    const one = scene(1000);
    await push(one, DOCKER, 1);
    await one.pass(16 * MINUTE);
    await one.life.beat(false);
    expect(await new HostLife({ table: one.table, instance: INSTANCE, now: one.clock }).begin()).toBe(false);
  });
});

describe('the job that looks after it', () => {
  it('reboots a host that hangs, once, then stops it, and says so each time', async () => {
    const one = scene(1000);
    await push(one, DOCKER, 1);
    await one.pass(2 * MINUTE);
    await expect(one.look()).rejects.toThrow('rebooted');
    await one.pass(5 * MINUTE);
    await expect(one.look()).rejects.toThrow('does not answer after a reboot');
    expect(one.calls).toEqual(['start', 'reboot', 'stop']);
    await one.look();
    expect(await push(one, DOCKER, 1)).toMatchObject({ is: 'let in' });
  });

  it('stops a host that does not go after its lease', async () => {
    const one = scene(1000);
    await push(one, DOCKER, 1);
    for (let minutes = 0; minutes < 34; minutes += 1) {
      await one.pass(MINUTE);
      await one.table.write([{ update: { partition: 'HOST', sort: INSTANCE }, set: { beat: one.clock() } }]);
    }
    await one.look();
    expect(one.calls).toEqual(['start']);
    await one.pass(2 * MINUTE - 1000);
    await one.table.write([{ update: { partition: 'HOST', sort: INSTANCE }, set: { beat: one.clock() } }]);
    await expect(one.look()).rejects.toThrow('after its lease');
    expect(one.calls).toEqual(['start', 'stop']);
  });

  it('stops a machine that somebody has started, and on which nothing runs', async () => {
    const one = scene();
    one.become('running');
    await one.look();
    await one.pass(11 * MINUTE);
    await expect(one.look()).rejects.toThrow('says nothing');
    expect(one.calls).toEqual(['stop']);
  });
});
