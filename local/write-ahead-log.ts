import { closeSync, openSync, readSync } from 'node:fs';

// SQLite's write-ahead log: a header, then frames, each a page with a checksum over itself and all before it; a frame that
// ends a transaction says so. https://sqlite.org/fileformat2.html#the_write_ahead_log

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;

/** What the end of a log says of the writes in it. */
export type LogState =
  | 'whole'
  /** It has a frame that SQLite would end at without a word, and behind it transactions that were acknowledged. */
  | 'damaged';

/** Reads a log as SQLite does at its start, and then on. What follows a frame whose checksum is wrong may be the one
 *  transaction that a loss of power cut, which nobody was told of. More than one is damage: each is on the disk before
 *  the next begins. */
export function readLog(path: string): LogState {
  const file = openLog(path);
  if (file === undefined) return 'whole';
  try {
    const header = read(file, 0, HEADER_BYTES);
    if (header.byteLength < HEADER_BYTES) return 'whole';
    const isMagic = (header.getUint32(0) & ~1) >>> 0 === MAGIC;
    const littleEndian = (header.getUint32(0) & 1) === 0;
    const sum = checksum([0, 0], { view: header, from: 0, to: 24, littleEndian });
    const isRight = isMagic && sum[0] === header.getUint32(24) && sum[1] === header.getUint32(28);
    // SQLite has a header on the disk before it writes the first frame.
    if (!isRight) return read(file, HEADER_BYTES, 1).byteLength > 0 ? 'damaged' : 'whole';
    return stateOf(framesOf(file, header), littleEndian, sum);
  } finally {
    closeSync(file);
  }
}

type Sum = readonly [number, number];

interface Frame {
  readonly view: DataView;
  /** How much of its salt is this log's: both parts, or none where it is of a log whose place this one took. */
  readonly salts: number;
  readonly endsTransaction: boolean;
}

function* framesOf(file: number, header: DataView): Generator<Frame> {
  const bytes = FRAME_HEADER_BYTES + header.getUint32(8);
  for (let position = HEADER_BYTES; ; position += bytes) {
    const view = read(file, position, bytes);
    if (view.byteLength < bytes) return;
    const salts = [0, 4].filter((at) => view.getUint32(8 + at) === header.getUint32(16 + at)).length;
    yield { view, salts, endsTransaction: view.getUint32(4) !== 0 };
  }
}

function stateOf(frames: Iterable<Frame>, littleEndian: boolean, start: Sum): LogState {
  let [sum, isCut, hasEnded] = [start, false, false];
  for (const { view, salts, endsTransaction } of frames) {
    if (!isCut) {
      const head = checksum(sum, { view, from: 0, to: 8, littleEndian });
      sum = checksum(head, { view, from: FRAME_HEADER_BYTES, to: view.byteLength, littleEndian });
      isCut = salts < 2 || sum[0] !== view.getUint32(16) || sum[1] !== view.getUint32(20);
    }
    if (!isCut || salts === 0) continue;
    if (hasEnded) return 'damaged';
    hasEnded = endsTransaction;
  }
  return 'whole';
}

interface Range {
  readonly view: DataView;
  readonly from: number;
  readonly to: number;
  readonly littleEndian: boolean;
}

function checksum([first, second]: Sum, { view, from, to, littleEndian }: Range): Sum {
  let [s0, s1] = [first, second];
  for (let at = from; at < to; at += 8) {
    s0 = (s0 + view.getUint32(at, littleEndian) + s1) >>> 0;
    s1 = (s1 + view.getUint32(at + 4, littleEndian) + s0) >>> 0;
  }
  return [s0, s1];
}

/** Fewer bytes only where the file ends. */
function read(file: number, position: number, length: number): DataView {
  const bytes = new Uint8Array(length);
  const got = readSync(file, bytes, 0, length, position);
  return new DataView(bytes.buffer, 0, got);
}

function openLog(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
