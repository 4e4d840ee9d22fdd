import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ATTACKS, type Attack } from './attacks.ts';
import { randomBlob } from './content.ts';
import { Connection } from './http/connection.ts';
import { prepare, type Target } from './http/request.ts';
import { peakBytes, resetPeak, residentBytes } from './process-usage.ts';
import { blobPath, expectReply, pushBlobByPut } from './registry-calls.ts';
import type { Scale } from './scale.ts';
import type { ServerGroup } from './server-group.ts';
import { stowage } from './servers.ts';
import { digits, median } from './statistics.ts';
import { table } from './table.ts';
import { MIB } from './workloads/figures.ts';

/** What the client asks for that stands beside the slow ones, again and again. */
const HONEST = { repository: 'bench/honest', bytes: MIB };

/** No address has more of the clients than this: what a registry allows one address is not what holds its memory down. */
const CLIENTS_AN_ADDRESS = 8;

interface AttackOptions {
  readonly root: string;
  /** Made, and removed. */
  readonly workspace: string;
  readonly group: ServerGroup;
  readonly scale: Scale;
}

interface Damage {
  readonly refused: number;
  readonly before: number;
  readonly peak: number;
  readonly afterwards: number;
  /** Milliseconds of a pull, before and beside the clients. */
  readonly alone: number;
  readonly beside: number;
}

/** Reads what each attack does to the memory of a new Stowage and to a client beside it, and writes the section of the report. */
export async function underAttack({ workspace, ...options }: AttackOptions): Promise<string> {
  const rows: string[][] = [];
  for (const attack of ATTACKS) {
    mkdirSync(workspace);
    const damage = await suffer(attack, { ...options, workspace });
    console.error(`${attack.title}: ${Math.round(damage.peak / MIB)} MiB`);
    rows.push(rowOf(attack, damage));
    rmSync(workspace, { recursive: true });
  }
  return attackReport(rows, options.scale);
}

async function suffer(attack: Attack, { root, workspace, group, scale }: AttackOptions): Promise<Damage> {
  const server = await group.start(await stowage(root)(join(workspace, 'server')));
  const resident = () => residentBytes(server.pid).all;
  const { target } = server;
  await attack.setUp?.(target);
  const pull = await prepareHonest(target, scale);
  await pull(); // warm
  const alone = await pull();
  await sleep(scale.quietSeconds * 1000);
  resetPeak(server.pid);
  const before = resident();
  const clients = await Promise.all(
    Array.from({ length: scale.slowClients * (attack.times ?? 1) }, async (_, n) =>
      openSlow(target, n, await attack.bytesOf(target, n)),
    ),
  );
  await sleep(scale.quietSeconds * 1000);
  const beside = await pull();
  const peak = peakBytes(server.pid);
  const refused = clients.filter((client) => client.destroyed).length;
  for (const client of clients) client.destroy();
  await sleep(scale.quietSeconds * 1000);
  const afterwards = resident();
  await server.stop();
  return { refused, before, peak, afterwards, alone, beside };
}

/** Connects from one of many addresses, sends the bytes, and does not read. */
async function openSlow({ host, port }: Target, n: number, bytes: Buffer): Promise<Socket> {
  const address = Math.floor(n / CLIENTS_AN_ADDRESS);
  const localAddress = `127.0.${1 + Math.floor(address / 250)}.${1 + (address % 250)}`;
  const socket = connect({ host, port, localAddress });
  socket.on('error', () => undefined); // it is refused: `close` follows
  socket.pause();
  socket.write(bytes);
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  return socket;
}

/** A function that pulls a blob some times over one connection, and tells the median milliseconds. */
async function prepareHonest(target: Target, { honestPulls }: Scale): Promise<() => Promise<number>> {
  const { repository, bytes } = HONEST;
  const blob = randomBlob(bytes);
  const request = prepare(target, { method: 'GET', path: blobPath(repository, blob) });
  const connection = await Connection.open(target);
  await pushBlobByPut({ target, connection, repository }, blob);
  connection.close();
  return async () => {
    const client = await Connection.open(target);
    const times: number[] = [];
    for (let n = 0; n < honestPulls; n += 1) {
      const start = performance.now();
      await expectReply(client, request, 200);
      times.push(performance.now() - start);
    }
    client.close();
    return median(times);
  };
}

function rowOf({ title }: Attack, { refused, before, peak, afterwards, alone, beside }: Damage): string[] {
  const mebibytes = [before, peak, afterwards].map((bytes) => (bytes / MIB).toFixed(0));
  return [title, String(refused), ...mebibytes, digits(alone), digits(beside)];
}

function attackReport(rows: readonly string[][], { slowClients, honestPulls, quietSeconds }: Scale): string {
  const { bytes } = HONEST;
  const titles = ['clients', 'refused', 'before', 'peak', 'afterwards', 'pull alone, ms', 'beside them, ms'];
  return [
    '## Slow clients',
    '',
    `${slowClients} clients at once of each kind, of the last two three times as many, from addresses of their own, that send what is said and then neither send nor read. Resident`,
    `MiB of a new Stowage: before them, the most of it, and ${quietSeconds} s after they have gone. Beside them, and before, one client pulls a blob`,
    `of ${bytes / MIB} MiB ${honestPulls} times: the median.`,
    '',
    table(titles, rows, 1),
    '',
  ].join('\n');
}
