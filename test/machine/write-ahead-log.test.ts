import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { readLog } from '../../local/write-ahead-log.ts';
import { scratch } from '../scratch.ts';

const [HEADER, FRAME_HEADER, PAGE] = [32, 24, 4096];
const FRAME = FRAME_HEADER + PAGE;
const WRITES = 6;

/** Of a table that is open: its log, in which each write is a transaction, and where each of them ends. */
async function makeLog() {
  const folder = await scratch();
  const path = join(folder, 'registry.sqlite');
  const table = new SqliteTable(path);
  onTestFinished(() => table.close());
  const ends: number[] = [];
  for (let n = 0; n < WRITES; n += 1) {
    // The value takes some pages.
    const attributes = { text: `${n}`.repeat(5000) };
    await table.write([{ put: { partition: 'p', sort: `${n}` }, attributes }]);
    ends.push(readFileSync(`${path}-wal`).length);
  }
  copyFileSync(path, join(folder, 'copy.sqlite'));
  return { bytes: readFileSync(`${path}-wal`), ends, copy: join(folder, 'copy.sqlite') };
}

/** What is said of a log, and how many of the writes SQLite finds with it. */
async function judge(copy: string, bytes: Uint8Array) {
  writeFileSync(`${copy}-wal`, bytes);
  const state = readLog(`${copy}-wal`);
  const table = new SqliteTable(copy);
  const found = await table.query({ partition: 'p', limit: 100, keysOnly: true }).catch(() => []);
  table.close();
  return { state, found: found.length };
}

it('finds every flipped bit that would lose more than the last write', async () => {
  const { bytes, ends, copy } = await makeLog();
  const pristine = readFileSync(copy);
  const beforeLast = ends.at(-2) ?? 0;
  for (let frame = HEADER; frame < beforeLast; frame += FRAME) {
    for (const place of [0, 5, 8, 13, 16, 23, FRAME_HEADER, FRAME - 1]) {
      const flipped = Buffer.from(bytes);
      flipped[frame + place] = (flipped[frame + place] ?? 0) ^ 0x10;
      writeFileSync(copy, pristine);
      const { state, found } = await judge(copy, flipped);
      expect([frame, place, state]).toEqual([frame, place, 'damaged']);
      expect(found).toBeLessThan(WRITES - 1); // SQLite itself forgets them without a word
    }
  }
});

it('finds a damaged header', async () => {
  const { bytes, copy } = await makeLog();
  for (let position = 0; position < HEADER; position += 1) {
    const flipped = Buffer.from(bytes);
    flipped[position] = (flipped[position] ?? 0) ^ 0x10;
    writeFileSync(`${copy}-wal`, flipped);
    expect([position, readLog(`${copy}-wal`)]).toEqual([position, 'damaged']);
  }
});

it('finds nothing wrong with a log that is whole, or that was cut anywhere within a write', async () => {
  const { bytes, ends, copy } = await makeLog();
  const pristine = readFileSync(copy);
  for (const [index, end] of [0, ...ends].entries()) {
    const next = ends[index] ?? end;
    for (let length = end; length <= next; length += 1000) {
      writeFileSync(copy, pristine);
      const { state, found } = await judge(copy, bytes.subarray(0, length));
      expect([length, state, found]).toEqual([length, 'whole', index]);
    }
  }
});

it('takes any pages of the write under way for lost, as where a disk writes them in an order of its own', async () => {
  const { bytes, ends, copy } = await makeLog();
  const start = ends.at(-2) ?? 0;
  for (let lost = start; lost < bytes.length; lost += FRAME) {
    for (const what of ['zeros', 'what was there before']) {
      const torn = Buffer.from(bytes);
      const before = Buffer.from(bytes.subarray(start - FRAME, start));
      before.writeUInt32BE((before.readUInt32BE(8) - 1) >>> 0, 8);
      before.writeUInt32BE((before.readUInt32BE(12) ^ 0xffff) >>> 0, 12);
      torn.set(what === 'zeros' ? Buffer.alloc(FRAME) : before, lost);
      writeFileSync(`${copy}-wal`, torn);
      expect(readLog(`${copy}-wal`)).toBe('whole');
    }
  }
});
