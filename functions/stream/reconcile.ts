import { atMost, equals, type Table } from '../storage/table.ts';
import { LONGEST_START_MS } from './agents.ts';
import { type HostItem, HostRecord } from './host-item.ts';
import type { Machine, MachineState } from './machine.ts';
import { isRecent } from './times.ts';

interface ReconcileOptions {
  readonly table: Table;
  readonly machine: Machine;
  /** The id of the instance. */
  readonly instance: string;
  readonly now: () => number;
}

/** How often `reconcile` is to run. */
export const RECONCILE_MINUTES = 5;

const MINUTE_MS = 60_000;

/** Without a sign of life for so long, a host hangs. */
const HUNG_MS = MINUTE_MS;

/** A host that hangs again so soon after it was rebooted is not rebooted once more. */
const REBOOT_AGAIN_MS = 30 * MINUTE_MS;

/** A host goes by itself when its lease has ended; one that is still there so much later does not. With the time between two runs that
 *  is less than half an hour. */
const OVERDUE_MS = 20 * MINUTE_MS;

/** A system that has been told to switch itself off has done so by then. */
const GOING_MS = 2 * MINUTE_MS;

/** An instance that runs and says nothing, after a start that nobody waits for. */
const SILENT_MS = 10 * MINUTE_MS;

/** Brings together what the table says of the stream host and what EC2 does: nothing may run, and be paid for, that nobody needs.
 *  Every step is one conditional write before EC2 is asked, so that a run that ends anywhere is made good by the next. Fails, so
 *  that somebody is told, with what has gone wrong since it was told last. */
export async function reconcile(options: ReconcileOptions): Promise<void> {
  const record = new HostRecord(options.table, options.instance);
  const seen = await record.read();
  const machine = await options.machine.state();
  await settle({ ...options, record, seen }, machine);
  await tellTrouble(record, options.now());
}

interface Case extends ReconcileOptions {
  readonly record: HostRecord;
  readonly seen: HostItem;
}

async function settle(one: Case, machine: MachineState): Promise<void> {
  if (machine === 'stopped') return noteStop(one);
  if (machine !== 'running' && machine !== 'pending') return;
  const { record, seen, now } = one;
  const age = now() - seen.since;
  switch (seen.state) {
    case 'running':
      return watch(one);
    case 'stopping':
      return age > GOING_MS ? one.machine.stop() : undefined;
    case 'starting':
      return age > SILENT_MS ? stop(one, 'it was started, and says nothing') : undefined;
    case 'stopped':
      if (seen.since === 0) return void (await record.change(seen, { since: now() }));
      return age > SILENT_MS ? stop(one, 'it runs, and says nothing') : undefined;
  }
}

/** It was stopped by somebody else, has stopped as it said, or did not start. */
async function noteStop({ record, seen, now }: Case): Promise<void> {
  const { state, since, beat } = seen;
  const isSettled =
    state === 'stopping' ||
    (state === 'starting' && now() - since > LONGEST_START_MS) ||
    (state === 'running' && !isRecent(beat, now(), HUNG_MS));
  if (isSettled) await record.change(seen, { state: 'stopped', since: now() }, [equals('beat', beat)]);
}

async function watch(one: Case): Promise<void> {
  const { record, seen, now } = one;
  const at = now();
  if (isRecent(seen.beat, at, HUNG_MS)) {
    if (seen.until < at - OVERDUE_MS) await stop(one, 'it runs on after its lease', false);
    return;
  }
  if (at - seen.rebootedAt < REBOOT_AGAIN_MS) return stop(one, 'it does not answer after a reboot either');
  const trouble = { trouble: 'it did not answer, and was rebooted', troubleAt: at };
  const set = { rebootedAt: at, ...trouble };
  if (await record.change(seen, set, [equals('beat', seen.beat)])) await one.machine.reboot();
}

/** `isSilent`: unless there is a sign of life; else unless there is a new lease. */
async function stop({ record, seen, machine, now }: Case, trouble: string, isSilent = true): Promise<void> {
  const at = now();
  const set = { state: 'stopping', since: at, trouble, troubleAt: at } as const;
  const when = isSilent ? equals('beat', seen.beat) : atMost('until', seen.until);
  if (await record.change(seen, set, [when])) await machine.stop();
}

/** Said once. */
async function tellTrouble(record: HostRecord, now: number): Promise<void> {
  const seen = await record.read();
  const { trouble, troubleAt, toldAt } = seen;
  if (troubleAt <= toldAt) return;
  if (await record.change(seen, { toldAt: now }))
    throw new Error(
      `the stream host had trouble: ${trouble}; it began at ${new Date(troubleAt).toISOString()}`,
    );
}
