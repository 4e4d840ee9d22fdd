import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Ports } from './bounds-peer.ts';
import { type Body, wholeBody } from './http/body.ts';
import { withConnection, withConnections } from './http/connection.ts';
import { prepare } from './http/request.ts';
import { settleDisk } from './measure.ts';
import { expectReply } from './registry-calls.ts';
import type { Scale } from './scale.ts';
import { LOOPBACK } from './servers.ts';
import { median } from './statistics.ts';
import { MIB } from './workloads/figures.ts';
import type { Demand } from './workloads/workload.ts';

const PIECE_BYTES = MIB;
const READ_BUFFER_BYTES = 256 * 1024;
const FSYNCS = 200;
const LOG_BYTES = 4096;
const CONNECTIONS = 32;
const TRIES = 3;

/** What this machine can do of one thing at a time, in seconds for each byte, fsync or request. */
export interface Bounds {
  /** Bytes of a new file, the fsync at its end included. */
  readonly write: number;
  /** The fsync of 4 KiB added to a file. */
  readonly fsync: number;
  /** SHA-256 by node:crypto, on one thread. */
  readonly hash: number;
  /** Bytes from one thread to another through plain sockets of Node.js. */
  readonly loopback: number;
  /** Bytes of a body that Node's own server takes and drops, the loopback included. */
  readonly receive: number;
  /** A `GET` that Node's own server answers with nothing, 32 at a time, on one thread. */
  readonly request: number;
}

/** Measures the machine itself, with no registry. */
export async function measureBounds(directory: string, { blobBytes, manifestGets }: Scale): Promise<Bounds> {
  const peer = new Worker(new URL('./bounds-peer.ts', import.meta.url), { workerData: blobBytes });
  const [ports] = (await once(peer, 'message')) as [Ports];
  const piece = randomFillSync(Buffer.allocUnsafeSlow(PIECE_BYTES));
  const file = join(directory, 'bounds');
  try {
    return {
      write: (await time((attempt) => writeFile(`${file}-${attempt}`, piece, blobBytes))) / blobBytes,
      fsync: (await time(() => appendToLog(file, piece.subarray(0, LOG_BYTES)))) / FSYNCS,
      hash: (await time(() => hash(piece, blobBytes))) / blobBytes,
      loopback: (await time(() => receive(ports.bytes, blobBytes))) / blobBytes,
      receive:
        (await time(() => sendBody(ports.http, wholeBody(piece, blobBytes / PIECE_BYTES)))) / blobBytes,
      request: (await time(() => request(ports.http, manifestGets))) / manifestGets,
    };
  } finally {
    await peer.terminate();
  }
}

/** The least seconds that each part of a demand takes by itself. */
export function leastSeconds(demand: Demand, bounds: Bounds) {
  const { storedBytes = 0, hashedBytes = 0, receivedBytes = 0, sentBytes = 0, requests, fsyncs = 0 } = demand;
  return {
    disk: storedBytes * bounds.write + fsyncs * bounds.fsync,
    hash: hashedBytes * bounds.hash,
    loopback: (receivedBytes + sentBytes) * bounds.loopback,
    http: requests * bounds.request + receivedBytes * bounds.receive,
  };
}

/** Seconds, the median of the tries. */
async function time(work: (attempt: number) => void | Promise<void>): Promise<number> {
  const seconds: number[] = [];
  for (let attempt = 0; attempt < TRIES; attempt++) {
    await settleDisk();
    const start = performance.now();
    await work(attempt);
    seconds.push((performance.now() - start) / 1000);
  }
  return median(seconds);
}

/** A file is kept, as a blob is: what holds it in memory is not what held the last one. */
function writeFile(path: string, piece: Buffer, bytes: number): void {
  const file = openSync(path, 'w');
  for (let written = 0; written < bytes; written += piece.length) {
    writeSync(file, piece);
  }
  fsyncSync(file);
  closeSync(file);
}

function appendToLog(path: string, entry: Buffer): void {
  const file = openSync(path, 'w');
  for (let n = 0; n < FSYNCS; n++) {
    writeSync(file, entry);
    fdatasyncSync(file);
  }
  closeSync(file);
}

function hash(piece: Buffer, bytes: number): void {
  const sha256 = createHash('sha256');
  for (let hashed = 0; hashed < bytes; hashed += piece.length) {
    sha256.update(piece);
  }
  sha256.digest();
}

async function receive(port: number, bytes: number): Promise<void> {
  let received = 0;
  const socket = createConnection({
    host: LOOPBACK,
    port,
    onread: {
      buffer: Buffer.allocUnsafe(READ_BUFFER_BYTES),
      callback: (length) => {
        received += length;
        return true;
      },
    },
  });
  await once(socket, 'close');
  if (received !== bytes) {
    throw new Error(`${received} of ${bytes} bytes came through the loopback`);
  }
}

async function sendBody(port: number, body: Body): Promise<void> {
  const target = { host: LOOPBACK, port };
  const put = prepare(target, { method: 'PUT', path: '/', body });
  await withConnection(target, (connection) => expectReply(connection, put, 200));
}

async function request(port: number, count: number): Promise<void> {
  const target = { host: LOOPBACK, port };
  const get = prepare(target, { method: 'GET', path: '/' });
  const waiting = Array.from({ length: count }, () => get).values();
  await withConnections(target, CONNECTIONS, (connections) =>
    Promise.all(
      connections.map(async (connection) => {
        for (const one of waiting) {
          await expectReply(connection, one, 200);
        }
      }),
    ),
  );
}
